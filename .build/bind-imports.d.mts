export function hotSources(): string[];
export function bindImports(code: string): string;
export const boundImports: {
  readonly name: string;
  readonly transform: (code: string, id: string) => { code: string; map: null } | undefined;
};
