/** What may stand in a place: files, or words. */
export interface Kind {
  readonly files?: 'yaml' | 'any' | 'directory';
  readonly words?: readonly string[];
  /** More follows without a blank: the value after `path=`. */
  readonly open?: boolean;
}

/** What the scripts are made from. */
export interface Grammar {
  /** `''`, `run`, `sweep plan`: what can follow it, with a line on each. */
  readonly commands: readonly {
    readonly path: string;
    readonly commands: readonly Offer[];
    readonly options: readonly Offer[];
  }[];
  readonly kinds: Readonly<Record<string, Kind>>;
  /** By kind: `run:--out` for the value of an option, `run:0` for the first argument. */
  readonly places: Readonly<Record<string, readonly string[]>>;
}
export type Offer = readonly [word: string, description: string];

/**
 * The scripts. All three do the same: walk over the words before the cursor to learn which command
 * they name and whether an option waits for its value, then offer what may stand there.
 */

/** A text as a word of a shell; these words hold nothing that a quote could not hold. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
/** The first sentence, on one line. */
const brief = (text: string): string => text.split(/[;(]/)[0]!.replaceAll(/\s+/g, ' ').trim();
const indexed = (grammar: Grammar) =>
  Object.entries(grammar.places).map(([name, places]) => ({ places, kind: grammar.kinds[name]! }));

/** Which places are values of options, so that the walk steps over them. */
const valued = ({ places }: Grammar): string[] =>
  Object.values(places)
    .flat()
    .filter((place) => /:-/.test(place));

export function bashScript(grammar: Grammar): string {
  const commands = grammar.commands.map(
    ({ path, commands, options }) =>
      `    ${quoted(path)}) commands=${quoted(wordsIn(commands))} ` +
      `options=${quoted(wordsIn(options))} ;;`,
  );
  return `# bash completion of worldswitch; made by \`worldswitch completion bash\`
_worldswitch_words() {
  local word
  while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -W "$1" -- "$value")
}
_worldswitch_files() {
  local word
  compopt -o filenames 2> /dev/null
  while IFS= read -r word; do
    if [[ -d $word || $1 == any || ( $1 == yaml && $word =~ \\.ya?ml$ ) ]]; then
      COMPREPLY+=("$word")
    fi
  done < <(compgen -f -- "$value")
}
_worldswitch() {
  local words=() word value command='' option='' commands options i arguments=0
  COMPREPLY=()
  # bash takes path=value apart.
  for ((i = 0; i <= COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if ((i > 1)) && [[ $word == = || \${COMP_WORDS[i - 1]} == = ]]; then
      words[\${#words[@]} - 1]+=$word
    else
      words+=("$word")
    fi
  done
  value=\${words[\${#words[@]} - 1]}
  for word in "\${words[@]:1:\${#words[@]} - 2}"; do
    if [[ $option ]]; then
      option=''
      continue
    fi
    case $word in
      -*)
        case $command:$word in
${wrapped(valued(grammar), '          ')})
            option=$word ;;
        esac ;;
      *)
        case "\${command:+$command }$word" in
${wrapped(pathsOf(grammar), '          ')})
            command="\${command:+$command }$word" arguments=0 ;;
          *) ((arguments++)) ;;
        esac ;;
    esac
  done
  case $command in
${commands.join('\n')}
  esac
  if [[ $option != '' && $value == -* ]]; then option=''; fi
  if [[ $option == '' && $value == --*=* ]]; then
    option=\${value%%=*} value=\${value#*=}
  elif [[ $option == '' && $value == -* ]]; then
    _worldswitch_words "$options"
    return
  fi
  if [[ $option == '' && $arguments == 0 ]]; then _worldswitch_words "$commands"; fi
  case $command:\${option:-$arguments} in
${indexed(grammar)
  .map(({ places, kind }) => `${wrapped(places, '    ')})\n${bashKind(kind)} ;;`)
  .join('\n')}
  esac
}
complete -F _worldswitch worldswitch
`;
}

function bashKind({ words, files, open }: Kind): string {
  const lines = [
    ...(open ? ['[[ $value == *=* ]] && return', 'compopt -o nospace 2> /dev/null'] : []),
    ...(words ? [`_worldswitch_words ${quoted(words.join(' '))}`] : []),
    ...(files ? [`_worldswitch_files ${files}`] : []),
  ];
  return lines.map((line) => `      ${line}`).join('\n');
}

export function zshScript(grammar: Grammar): string {
  const commands = grammar.commands.map(
    ({ path, commands, options }) =>
      `    ${quoted(path)})\n      commands=(${described(commands, ':')})\n      ` +
      `options=(${described(options, ':')}) ;;`,
  );
  return `#compdef worldswitch
# zsh completion of worldswitch; made by \`worldswitch completion zsh\`
_worldswitch() {
  local word value="\${words[CURRENT]}" command='' option=''
  local -a commands options
  integer arguments=0
  for word in "\${(@)words[2,CURRENT - 1]}"; do
    if [[ -n $option ]]; then
      option=''
      continue
    fi
    case $word in
      -*)
        case $command:$word in
${wrapped(valued(grammar), '          ')})
            option=$word ;;
        esac ;;
      *)
        case "\${command:+$command }$word" in
${wrapped(pathsOf(grammar), '          ')})
            command="\${command:+$command }$word" arguments=0 ;;
          *) ((arguments++)) ;;
        esac ;;
    esac
  done
  case $command in
${commands.join('\n')}
  esac
  if [[ -n $option && $value == -* ]]; then option=''; fi
  if [[ -z $option && $value == --*=* ]]; then
    option="\${value%%=*}"
    compset -P '*='
  elif [[ -z $option && $value == -* ]]; then
    _describe option options
    return
  fi
  if [[ -z $option && $arguments == 0 && \${#commands} -gt 0 ]]; then _describe command commands; fi
  case $command:\${option:-$arguments} in
${indexed(grammar)
  .map(({ places, kind }) => `${wrapped(places, '    ')})\n${zshKind(kind)} ;;`)
  .join('\n')}
  esac
}
if [[ $funcstack[1] == _worldswitch ]]; then _worldswitch "$@"; else compdef _worldswitch \
worldswitch; fi
`;
}

function zshKind({ words, files, open }: Kind): string {
  const lines = [
    ...(open ? ['[[ $value == *=* ]] && return'] : []),
    ...(words ? [`compadd ${open ? "-S '' " : ''}-- ${words.map(quoted).join(' ')}`] : []),
    ...(files
      ? [{ yaml: "_files -g '*.(yaml|yml)'", any: '_files', directory: '_files -/' }[files]]
      : []),
  ];
  return lines.map((line) => `      ${line}`).join('\n');
}

export function fishScript(grammar: Grammar): string {
  const commands = grammar.commands.map(
    ({ path, commands, options }) =>
      `        case ${fishWord(path)}
            set commands ${described(commands, '\t', fishWord)}
            set options ${described(options, '\t', fishWord)}`,
  );
  return `# fish completion of worldswitch; made by \`worldswitch completion fish\`
function __worldswitch_complete
    set -l command ''
    set -l option ''
    set -l commands
    set -l options
    set -l arguments 0
    set -l value (commandline -ct)
    for word in (commandline -opc)[2..-1]
        if test -n "$option"
            set option ''
            continue
        end
        switch "$word"
            case '-*'
                switch "$command:$word"
                    case ${valued(grammar).map(fishWord).join(' ')}
                        set option "$word"
                end
            case '*'
                switch (string trim "$command $word")
                    case ${pathsOf(grammar).map(fishWord).join(' ')}
                        set command (string trim "$command $word")
                        set arguments 0
                    case '*'
                        set arguments (math $arguments + 1)
                end
        end
    end
    switch "$command"
${commands.join('\n')}
    end
    if string match -q -- '-*' "$value"
        set option ''
        if string match -q -- '--*=*' "$value"
            set option (string replace -r '=.*' '' -- "$value")
        else
            printf '%s\\n' $options
            return
        end
    end
    set -l place "$command:$arguments"
    if test -n "$option"
        set place "$command:$option"
    else if test $arguments = 0
        printf '%s\\n' $commands
    end
    # The option stays before the value: --format=svg.
    set -l before (string match -r -- '^--[^=]*=' "$value")
    switch "$place"
${indexed(grammar)
  .map(({ places, kind }) => `        case ${places.map(fishWord).join(' ')}\n${fishKind(kind)}`)
  .join('\n')}
    end
end
complete -c worldswitch -f -a '(__worldswitch_complete)'
`;
}

function fishKind({ words, files }: Kind): string {
  const lines = [
    ...(words ? [`printf '%s\\n' "$before"${bracketed(words)}`] : []),
    ...(files
      ? [
          {
            yaml: '__fish_complete_suffix .yaml\n            __fish_complete_suffix .yml',
            any: '__fish_complete_path "$value"',
            directory: '__fish_complete_directories "$value"',
          }[files],
        ]
      : []),
  ];
  return lines.map((line) => `            ${line}`).join('\n');
}

const bracketed = (words: readonly string[]): string => `{${words.join(',')}}`;
/** Fish knows two escapes inside of single quotes. */
const fishWord = (text: string): string =>
  `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

const wordsIn = (offers: readonly Offer[]): string => offers.map(([word]) => word).join(' ');

function described(
  offers: readonly Offer[],
  between: string,
  word: (text: string) => string = quoted,
): string {
  return offers.map(([name, text]) => word(`${name}${between}${brief(text)}`)).join(' ');
}

const pathsOf = ({ commands }: Grammar): string[] =>
  commands.map(({ path }) => path).filter((path) => path !== '');

/** Patterns of a `case`, on lines of moderate length. */
function wrapped(patterns: readonly string[], indent: string): string {
  const lines = [''];
  for (const pattern of patterns.map(quoted)) {
    const line = lines.at(-1)!;
    if (line.length + pattern.length > 90) lines.push(pattern);
    else lines[lines.length - 1] = line === '' ? pattern : `${line} | ${pattern}`;
  }
  return lines.map((line) => indent + line).join(' | \\\n');
}
