/**
 * The lines `SYSCALL[pid,tid](number) name ( arguments ) --> result` that Valgrind prints with
 * `--trace-syscalls=yes`, as events of a page trace. A call that blocks has two lines; the first
 * counts.
 */
export interface SyscallEvent {
  readonly text: string;
  /** Pages from `page` on that are no longer resident. */
  readonly page: number;
  readonly gone: number;
}

const PAGE = 4096;
const PROT = { read: 1, write: 2, execute: 4 };
const MAP_SHARED = 1;
const MAP_ANONYMOUS = 32;
const MADV_DONTNEED = 4;

export class LackeySyscalls {
  #breakEnd = 0;

  /**
   * The event of one line; null when it is the result of a call already seen; undefined when it is
   * not such a line.
   */
  parse(line: string): SyscallEvent | null | undefined {
    const match = /^SYSCALL\[\d+,\d+\]\( *(?:[a-z]+:)?\d+\) +(?:sys_)?([^\s(]+)(.*)$/.exec(line);
    if (!match) return undefined;
    if (match[1]!.startsWith('...')) return null;
    const [, name, rest] = match as unknown as [string, string, string];
    const child = /created child (\d+)/.exec(rest);
    if (child) return other(`fork ${child[1]}`);
    const result = /Success\((0x[0-9a-fA-F]+)\)/.exec(rest);
    return result
      ? this.#mapping(name, numbers(rest), Number(result[1]))
      : this.#mapping(name, numbers(rest), undefined);
  }

  #mapping(name: string, args: readonly number[], result: number | undefined): SyscallEvent {
    const [address = 0, length = 0, third = 0, fourth = 0] = args;
    const range = (from: number, bytes: number) => {
      const page = Math.floor(from / PAGE);
      return { page, pages: Math.ceil((from + bytes) / PAGE) - page };
    };
    if (result !== undefined) {
      const { page, pages } = range(address, length);
      switch (name) {
        case 'mmap': {
          const made = range(result, length);
          const sharing = fourth & MAP_SHARED ? 's' : 'p';
          const backing = fourth & MAP_ANONYMOUS ? 'a' : 'f';
          return ranged('mmap', made, ` ${rights(third)}${sharing}${backing}`, true);
        }
        case 'munmap':
          return ranged('munmap', { page, pages }, '', true);
        case 'mprotect':
          return ranged('mprotect', { page, pages }, ` ${rights(third)}`, false);
        case 'mremap': {
          const to = range(result, third);
          return ranged('mremap', { page, pages }, ` ${to.page.toString(16)} ${to.pages}`, true);
        }
        case 'madvise':
          if (third === MADV_DONTNEED) return ranged('dontneed', { page, pages }, '', true);
          break;
        case 'brk':
          return this.#moveBreak(result);
      }
    }
    if (name === 'execve' || name === 'execveat') {
      return other(result === undefined ? 'sys execve' : 'exec');
    }
    return other(name === 'exit_group' ? 'exit' : `sys ${name}`);
  }

  #moveBreak(to: number): SyscallEvent {
    const before = Math.ceil(this.#breakEnd / PAGE);
    const after = Math.ceil(to / PAGE);
    const known = this.#breakEnd > 0;
    this.#breakEnd = to;
    if (known && after > before) {
      return ranged('brk+', { page: before, pages: after - before }, '', false);
    }
    if (known && after < before) {
      return ranged('brk-', { page: after, pages: before - after }, '', true);
    }
    return other('sys brk');
  }
}

const other = (text: string): SyscallEvent => ({ text, page: 0, gone: 0 });

function ranged(
  name: string,
  { page, pages }: { page: number; pages: number },
  more: string,
  gone: boolean,
): SyscallEvent {
  const text = `${name} ${page.toString(16)} ${pages}${more}`;
  return { text, page, gone: gone ? pages : 0 };
}

function rights(protection: number): string {
  const letter = (bit: number, yes: string) => (protection & bit ? yes : '-');
  return letter(PROT.read, 'r') + letter(PROT.write, 'w') + letter(PROT.execute, 'x');
}

/** Arguments as numbers, `0x…` or decimal; text after a number is ignored. */
function numbers(rest: string): number[] {
  const open = rest.indexOf('(');
  if (open < 0) return [];
  return rest
    .slice(open + 1)
    .split(',', 6)
    .map((text) => Number(/^\s*(0x[0-9a-fA-F]+|\d+)/.exec(text)?.[1] ?? 0));
}
