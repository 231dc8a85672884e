import { TraceError } from '../guest/workloads/trace-reader.ts';

/**
 * The programs whose accesses are in one trace. A page number means different pages in two
 * programs, so a trace of several is read for one of them, which must be chosen.
 */
export class Programs {
  readonly #file: string;
  readonly #chosen: string | undefined;
  readonly #counts = new Map<string, number>();
  #current = '';
  #run = 0;
  #kept = false;
  /** Where the second program was first seen. */
  #line = 0;

  /** `chosen`: the name of the program to keep. */
  constructor(file: string, chosen: string | undefined) {
    this.#file = file;
    this.#chosen = chosen;
  }

  /**
   * The accesses that follow belong to this program; `line` is where it was named. Returns whether
   * they are kept.
   */
  enter(name: string, line: number): boolean {
    if (name === this.#current) return this.#kept;
    this.#settle();
    this.#current = name;
    if (!this.#counts.has(name)) this.#counts.set(name, 0);
    if (this.#counts.size === 2 && this.#line === 0) this.#line = line;
    this.#kept =
      this.#chosen === undefined ? this.#counts.size === 1 : isCalled(name, this.#chosen);
    return this.#kept;
  }

  /** One more access of the current program. */
  count(): void {
    this.#run++;
  }

  /** Throws TraceError when a program must be chosen, or when the chosen one is missing. */
  check(): void {
    this.#settle();
    const chosen = this.#chosen;
    const counts = this.#counts;
    const file = this.#file;
    const names = [...counts].map(([name, n]) => `${name} (${n} access${n === 1 ? '' : 'es'})`);
    if (chosen === undefined) {
      if (counts.size < 2) return;
      const first = counts.keys().next().value;
      const which = `${names.slice(0, 20).join(', ')}${names.length > 20 ? ', …' : ''}`;
      throw new TraceError(
        file,
        this.#line,
        `there are ${counts.size} programs in it: ${which}; ` +
          `choose one, for example --program ${first}`,
      );
    }
    if ([...counts.keys()].some((name) => isCalled(name, chosen))) return;
    const which = names.length > 0 ? `its programs are ${names.join(', ')}` : 'it names none';
    throw new TraceError(file, 1, `there is no program ${chosen} in it: ${which}`);
  }

  #settle(): void {
    if (this.#run === 0) return;
    // Accesses before the first name belong to no program in particular.
    const count = this.#counts.get(this.#current);
    if (count !== undefined) this.#counts.set(this.#current, count + this.#run);
    this.#run = 0;
  }
}

/** `W0` may be called `w0` or `0`. */
function isCalled(name: string, chosen: string): boolean {
  const plain = chosen.toUpperCase();
  return name === plain || name.replace(/^\D+/, '') === plain;
}
