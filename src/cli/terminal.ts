import { styleText } from 'node:util';

/** Results go to stdout, everything else to stderr. */
export function print(text: string): void {
  process.stdout.write(text);
}

/** Colour on a terminal only, and not when NO_COLOR is set. */
export function style(format: 'bold' | 'dim' | 'red', text: string): string {
  const { isTTY } = process.stdout;
  return isTTY && !process.env['NO_COLOR'] ? styleText(format, text) : text;
}
