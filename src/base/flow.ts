const WORD = /^\w[\w./-]*$/;
const RESERVED = /^(true|false|null|y|yes|n|no|on|off)$/i;

/** A text as YAML would have it in a flow: without quotes where it can be nothing else. */
function textInFlow(text: string): string {
  const plain = WORD.test(text) && !RESERVED.test(text) && Number.isNaN(Number(text));
  return plain ? text : JSON.stringify(text);
}

/**
 * A value of a scenario in one line of YAML: `{ kind: credit, timeslice: 30ms }`. Pages have no
 * other use for a writer of YAML, which would make their script 5 kB larger.
 */
export function inFlow(value: unknown): string {
  if (typeof value === 'string') return textInFlow(value);
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return value.length > 0 ? `[ ${value.map(inFlow).join(', ')} ]` : '[]';
  const entries = Object.entries(value).map(([key, v]) => `${textInFlow(key)}: ${inFlow(v)}`);
  return entries.length > 0 ? `{ ${entries.join(', ')} }` : '{}';
}
