import type { Form, Value } from './editor-values.ts';

/** What an editor shows of a key: what it means, what it takes, in which unit, and what if not. */

/** Where the value of a key that is left out comes from, besides its own default. */
export interface Source {
  /** For people: `the processor preset`. */
  readonly name: string;
  /** It says every key. */
  readonly isComplete: boolean;
}

export function hoverText(
  value: Value,
  form: Form | undefined,
  { source, isEntry }: { readonly source?: Source | undefined; readonly isEntry?: boolean },
): string {
  const { notes, dimension } = value;
  const unit = dimension ? Object.keys(dimension.units).join(', ') : notes.unit;
  // An editor lists words itself.
  const isListed = !form || form.raw['enum'] !== undefined || form.types.length === 0;
  const takes = isListed ? undefined : form.takes;
  const lines = [
    takes && `Value: ${takes.replace(/ \(units: .*?\)/, '')}`,
    unit && `Unit: ${unit}`,
    isEntry ? undefined : usualText(value, source),
  ];
  const list = lines.filter((line) => line !== undefined && line !== '');
  const parts = [markdown(notes.description ?? ''), list.map((line) => `- ${line}`).join('\n')];
  return parts.filter((part) => part !== '').join('\n\n');
}

/** `Default: 512MiB`, `Required`, … */
function usualText(value: Value, source: Source | undefined): string {
  const { isOptional, fallback, notes } = value;
  if (fallback !== undefined) {
    const own = isEmpty(fallback) ? 'each key its own default' : code(fallback);
    return `Default: ${source ? `from ${source.name}, else ` : ''}${own}`;
  }
  if (isOptional) return `Optional${notes.usual ? `; default: ${notes.usual}` : ''}`;
  if (source === undefined) return 'Required';
  return source.isComplete ? `Default: from ${source.name}` : `Required, or from ${source.name}`;
}

const isEmpty = (value: unknown) =>
  typeof value === 'object' && value !== null && Object.keys(value).length === 0;

const code = (value: unknown) =>
  `\`${typeof value === 'object' ? yamlOf(value as object) : String(value)}\``;

/** In one line: `{ kind: uniform }`. */
function yamlOf(value: object): string {
  if (Array.isArray(value)) return `[${value.join(', ')}]`;
  return `{ ${Object.entries(value)
    .map(([key, inner]) => `${key}: ${inner}`)
    .join(', ')} }`;
}

/** Text as Markdown, in which `code` stays as it is. */
function markdown(text: string): string {
  return text
    .split('`')
    .map((part, i) => (i % 2 === 0 ? part.replace(/[<*]/g, '\\$&') : part))
    .join('`');
}
