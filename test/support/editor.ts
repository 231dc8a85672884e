import { readFileSync } from 'node:fs';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { getLanguageService } from 'yaml-language-server';

/** An editor with the real YAML language server, and a file whose first line names the schema that ships. */

/** Everything the server asked for. */
export const requests: string[] = [];

const service = getLanguageService({
  schemaRequestService: async (uri: string) => {
    requests.push(uri);
    return uri.endsWith('/configs/scenario.schema.json')
      ? readFileSync('configs/scenario.schema.json', 'utf8')
      : Promise.reject(new Error(`no schema at ${uri}`));
  },
  workspaceContext: {
    resolveRelativePath: (path: string, resource: string) => new URL(path, resource).href,
  },
  clientCapabilities: {
    textDocument: { completion: { completionItem: { documentationFormat: ['markdown'] } } },
  },
} as unknown as Parameters<typeof getLanguageService>[0]);
service.configure({ validate: true, hover: true, completion: true, yamlVersion: '1.2' });

/** The service remembers what it parsed by version. */
let version = 0;
const HEAD = '# yaml-language-server: $schema=./scenario.schema.json\n';
let opened = { text: '', document: TextDocument.create('', 'yaml', 0, '') };

function open(text: string): TextDocument {
  if (opened.text !== text) {
    const document = TextDocument.create(
      'file:///repo/configs/x.yaml',
      'yaml',
      ++version,
      HEAD + text,
    );
    opened = { text, document };
  }
  return opened.document;
}

export interface Mark {
  readonly message: string;
  /** What is underlined. */
  readonly text: string;
  /** Of the text, from 1. */
  readonly line: number;
}

export async function marksIn(text: string): Promise<Mark[]> {
  const document = open(text);
  const marks = await service.doValidation(document, false);
  return marks.map(({ message, range }) => ({
    message,
    text: document.getText(range),
    line: range.start.line,
  }));
}

/** `line: message` of each mark. */
export async function complaints(text: string): Promise<string[]> {
  return (await marksIn(text)).map(({ line, message }) => `${line}: ${message}`);
}

/** What is shown where `offset` points; the link to the schema is left out. */
export async function hoverAt(text: string, offset: number): Promise<string> {
  const document = open(text);
  const hover = await service.doHover(document, document.positionAt(HEAD.length + offset));
  const { value = '' } = (hover?.contents ?? {}) as { value?: string };
  return value.replace(/\n\nSource: .*$/s, '');
}

export interface Offer {
  readonly label: string;
  readonly text: string;
}

/** What is offered where the text has `|`. */
export async function offersAt(text: string): Promise<Offer[]> {
  const document = open(text.replace('|', ''));
  const at = document.positionAt(HEAD.length + text.indexOf('|'));
  const { items } = await service.doComplete(document, at, false);
  return items.map(({ label, documentation }) => ({
    label,
    text: typeof documentation === 'string' ? documentation : (documentation?.value ?? ''),
  }));
}
