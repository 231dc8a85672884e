import { xoshiroNext, xoshiroState } from '../../base/random.ts';
import { Background, exponential } from './background.ts';
import { executeIn, writeTo } from './forked.ts';
import {
  checkMemory,
  checkRegions,
  growthOf,
  type Image,
  Images,
  KERNEL_EVENT_REGION,
  type Loaded,
  planOf,
  skipsAll,
} from './images.ts';
import { operation } from './item.ts';
import { checkRoom } from './layout.ts';
import {
  type ProcessTreeParams,
  processTreeParams,
  type TreeProgram,
} from './process-tree-params.ts';
import { ScriptProgram, type Step } from './script.ts';
import {
  Op,
  type ProcessImage,
  type Program,
  type WorkloadDefinition,
  type WorkloadDeps,
} from './workload.ts';

/**
 * Programs that start each other: a build is make, which starts shells, which start compilers,
 * whose output an assembler reads from a pipe. Each run of a program is a process of its own, which
 * loads its image, touches it for the first time, and is torn down again.
 */
export const processTree: WorkloadDefinition<typeof processTreeParams> = {
  name: 'process-tree',
  summary: 'programs that start each other, with pipes between them: builds, scripts, sessions',
  params: processTreeParams,
  create(params, deps) {
    check(params);
    const images = [...params.programs].map(regionsOf);
    checkMemory(deps, params.processes, images[0]!, images.flat());
    const tree = new Tree(params, deps);
    const processes = Array.from({ length: params.processes }, (_, i) => tree.process(i));
    return {
      processes,
      work: params.work,
      unit: params.unit,
      cpiQ8: Math.round(params.cpi * 256),
      overlapQ8: Math.round(params.overlap * 256),
      kernel: true,
      skips: params.programs.every(({ regions }) => skipsAll(regions, true)),
      quantumInstructions: params.quantum,
      hz: params.hz,
    };
  },
};

const regionsOf = ({ regions }: TreeProgram) => [...regions, KERNEL_EVENT_REGION];

/** Whatever a single key cannot be refused for. */
function check({ programs, jobs }: ProcessTreeParams): void {
  const names = programs.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new Error(`two programs are called ${twice}`);
  for (const [i, { name, regions, runs }] of programs.entries()) {
    checkRegions(regions, ['programs', i], `program ${name}: `);
    const unknown = runs.flatMap(({ commands }) => commands).find((one) => !names.includes(one));
    if (unknown !== undefined) {
      throw new Error(`program ${name} runs ${unknown}, there are ${names.join(', ')}`);
    }
  }
  const started = new Set<string>();
  reach(programs, names[0]!, [], started);
  const idle = names.find((name) => !started.has(name));
  if (idle !== undefined) throw new Error(`program ${idle} is started by none`);
  const first = programs[0]!;
  const wide = first.runs.find(({ commands }) => commands.length > 1);
  if (jobs > 1 && wide) {
    throw new Error(
      `with jobs: ${jobs}, ${first.name} can start single commands, not ` +
        `${wide.commands.join(' | ')}: let a shell do that`,
    );
  }
  checkPipes(programs);
}

/** Notes every program that is started; none may start itself, over however many others. */
function reach(
  programs: readonly TreeProgram[],
  name: string,
  above: readonly string[],
  started: Set<string>,
): void {
  const path = [...above, name];
  if (above.includes(name))
    throw new Error(`programs start each other without end: ${path.join(', ')}`);
  started.add(name);
  const { runs } = programs.find((program) => program.name === name)!;
  for (const command of new Set(runs.flatMap(({ commands }) => commands))) {
    reach(programs, command, path, started);
  }
}

/** Output needs a pipe to go to, and a limit of input one to come from. */
function checkPipes(programs: readonly TreeProgram[]): void {
  const steps = programs.flatMap(({ runs }) => runs);
  for (const { name, output, input } of programs) {
    if (output > 0 && !steps.some(({ commands }) => commands.slice(0, -1).includes(name))) {
      throw new Error(
        `program ${name} has output, but nothing reads it: no command comes after it`,
      );
    }
    if (input !== undefined && !steps.some(({ commands }) => commands.slice(1).includes(name))) {
      throw new Error(
        `program ${name} has input, but nothing writes it: no command comes before it`,
      );
    }
  }
}

/** Bytes that a program moves at a time. published: glibc buffers a pipe by its block size, 4096 */
const PIECE = 4096;
/** Numbers of the pipes that one program makes; those it inherits have others. */
const PIPES = 16;

/** The number of a pipe, and bytes that pass it. */
interface Stream {
  readonly pipe: number;
  readonly bytes: number;
}

/** A unit of work: its number, and its size relative to the programs as given. */
interface Unit {
  readonly number: number;
  readonly size: number;
}

/** A run of a program: where it stands in the tree, and what it is connected to. */
interface Run {
  readonly program: TreeProgram;
  readonly unit: Unit;
  /** Its random streams are named after it. */
  readonly path: string;
  /** How many programs are above it. */
  readonly depth: number;
  readonly input?: Stream | undefined;
  readonly output?: Stream | undefined;
}

/** Something a program does when it has executed a share of its instructions. */
interface Due {
  readonly at: number;
  readonly steps: () => Iterable<Step>;
}

class Tree {
  readonly #params: ProcessTreeParams;
  readonly #images: Images;
  readonly #programs = new Map<string, TreeProgram>();
  readonly #imageOf = new Map<string, Image>();

  constructor(params: ProcessTreeParams, deps: WorkloadDeps) {
    this.#params = params;
    this.#images = new Images(params.aslr, deps);
    for (const program of params.programs) {
      const { name, per1M, visit } = program;
      const regions = regionsOf(program);
      const { heap, mappings } = growthOf(per1M);
      checkRoom(regions, heap, mappings);
      // Whoever uses a file uses the same pages of it most.
      const image = this.#images.make(name, regions, { visit }, (region) =>
        region.kind === 'anon' ? `${name}/region/${region.name}` : `file/${region.name}`,
      );
      this.#programs.set(name, program);
      this.#imageOf.set(name, image);
    }
  }

  /** The first program, which is there from power-on. */
  process(index: number): ProcessImage {
    const { base } = this.#images;
    const path = `${base}/process/${index}`;
    const program = this.#params.programs[0]!;
    const loaded = this.#images.load(this.#imageOf.get(program.name)!, path, true);
    const children = new Children(path);
    const script = this.#first(program, path, loaded, children);
    return {
      regions: loaded.layout.regions,
      programs: [this.#running(program, path, loaded, children, script)],
    };
  }

  #running(
    program: TreeProgram,
    path: string,
    loaded: Loaded,
    children: Children,
    script: Iterator<Step>,
  ): Program {
    const { seed } = this.#images;
    const plan = planOf(program.per1M, this.#params, loaded.layout, 0);
    const background = new Background(plan, seed, `${path}/events`);
    const mixer = this.#images.mixer(loaded, path);
    return new ScriptProgram({ script, mixer, background, fork: () => children.next() });
  }

  /** Works off one unit after the other, with so many jobs running at a time. */
  *#first(program: TreeProgram, path: string, loaded: Loaded, children: Children): Generator<Step> {
    const { jobs } = this.#params;
    const sizes = this.#sizes(path);
    /** By job under way: whether a unit ends with it. */
    const running: boolean[] = [];
    const ended = function* (): Generator<Step> {
      yield operation(Op.Wait);
      if (running.shift()) yield operation(Op.WorkDone, 1);
    };
    for (let number = 0; ; number++) {
      const unit: Unit = { number, size: sizes.next().value };
      const run: Run = { program, unit, path, depth: 0 };
      const steps = stepsOf(run);
      const instructions = instructionsOf(run) / (steps.length + 1);
      for (const [i, { commands }] of steps.entries()) {
        yield instructions;
        if (jobs === 1) {
          yield* this.#pipeline(run, commands, loaded, children);
          continue;
        }
        yield* this.#start(run, commands, loaded, children);
        running.push(i === 0);
        if (running.length === jobs) yield* ended();
      }
      yield instructions;
      if (jobs === 1 || steps.length === 0) yield operation(Op.WorkDone, 1);
    }
  }

  /**
   * Sizes of one unit after the other. At power-on the first one is under way: what is left of it
   * is any part of a fixed size, and as much as a whole one when sizes are exponential.
   */
  *#sizes(path: string): Generator<number, never> {
    const { size, sizes } = this.#params;
    const random = xoshiroState(this.#images.seed, `${path}/units`);
    const least = (draw: number) => Math.max(1e-6, size * draw);
    if (sizes === 'fixed') {
      yield least((xoshiroNext(random) >>> 0) / 2 ** 32);
      for (;;) yield size;
    }
    for (;;) yield least(exponential(65_536, xoshiroNext(random)) / 65_536);
  }

  /** A command and those that read from it run at the same time; all are waited for. */
  *#pipeline(
    run: Run,
    commands: readonly string[],
    loaded: Loaded,
    children: Children,
  ): Generator<Step> {
    yield* this.#start(run, commands, loaded, children);
    for (const _ of commands) yield operation(Op.Wait);
  }

  *#start(
    run: Run,
    commands: readonly string[],
    loaded: Loaded,
    children: Children,
  ): Generator<Step> {
    const vfork = run.program.starts === 'vfork';
    let input: Stream | undefined;
    for (const [i, name] of commands.entries()) {
      const program = this.#programs.get(name)!;
      let output: Stream | undefined;
      if (i < commands.length - 1) {
        const bytes = Math.round(program.output * scaleOf(program, run.unit));
        output = { pipe: run.depth * PIPES + i, bytes };
        yield operation(Op.Pipe, output.pipe);
      }
      const { unit, depth } = run;
      const child = children.path();
      const started: Run = { program, unit, path: child, depth: depth + 1, input, output };
      children.add(this.#child(run, started, loaded));
      yield operation(vfork ? Op.Vfork : Op.Fork);
      if (output) yield operation(Op.ClosePipe, output.pipe, 1);
      if (input) yield operation(Op.ClosePipe, input.pipe, 0);
      input = output;
    }
  }

  /** What a child does in the memory of its parent, and the program it then executes. */
  #child({ program }: Run, run: Run, parent: Loaded): Program {
    const { output } = run;
    const exec = (): ProcessImage => {
      const loaded = this.#images.load(this.#imageOf.get(run.program.name)!, run.path, false);
      const children = new Children(run.path);
      const script = this.#run(run, loaded, children);
      const running = this.#running(run.program, run.path, loaded, children, script);
      return { regions: loaded.layout.regions, programs: [running] };
    };
    const script = (function* (): Generator<Step> {
      if (program.starts === 'fork') {
        yield* executeIn(parent, program.usedPages);
        yield* writeTo(parent, program.cowPages);
      }
      if (output) yield operation(Op.ClosePipe, output.pipe, 0);
      yield operation(Op.Exec);
    })();
    return new ScriptProgram({ script, exec });
  }

  /** A run from exec to exit. */
  *#run(run: Run, loaded: Loaded, children: Children): Generator<Step> {
    const steps = stepsOf(run).map(
      ({ commands }, i, all): Due => ({
        at: (i + 1) / (all.length + 1),
        steps: () => this.#pipeline(run, commands, loaded, children),
      }),
    );
    const due = [...readsOf(run), ...steps, ...writesOf(run)].sort((a, b) => a.at - b.at);
    const instructions = instructionsOf(run);
    let at = 0;
    for (const next of due) {
      if (next.at > at) yield (next.at - at) * instructions;
      at = next.at;
      yield* next.steps();
    }
    if (at < 1) yield (1 - at) * instructions;
  }
}

/** The children of a process, each made when it is forked and named after its number. */
class Children {
  readonly #parent: string;
  #born = 0;
  #next: Program | undefined;

  constructor(parent: string) {
    this.#parent = parent;
  }

  path(): string {
    return `${this.#parent}/child/${this.#born++}`;
  }

  add(child: Program): void {
    this.#next = child;
  }

  next(): Program {
    return this.#next!;
  }
}

const scaleOf = ({ scaled }: TreeProgram, { size }: Unit): number => (scaled ? size : 1);

const instructionsOf = ({ program, unit }: Run): number =>
  Math.max(1, program.instructions * scaleOf(program, unit));

/** What it starts for this unit of work. */
const stepsOf = ({ program, unit }: Run) =>
  program.runs.filter(({ every }) => (unit.number + 1) % every === 0);

/** Bytes in pieces, the last one smaller. */
function piecesOf(bytes: number): number[] {
  const pieces = new Array<number>(Math.ceil(bytes / PIECE)).fill(PIECE);
  if (bytes % PIECE > 0) pieces[pieces.length - 1] = bytes % PIECE;
  return pieces;
}

/** It reads a piece, works on it, and so on, until there is no more or it has read enough. */
function readsOf({ program, input }: Run): Due[] {
  if (!input) return [];
  const enough = program.input !== undefined && program.input < input.bytes;
  const pieces = piecesOf(enough ? program.input! : input.bytes);
  const due = pieces.map((bytes, i) => ({
    at: i / pieces.length,
    steps: () => [operation(Op.ReadPipe, input.pipe, bytes)],
  }));
  const last = operation(enough ? Op.ClosePipe : Op.ReadPipe, input.pipe, enough ? 0 : PIECE);
  return [...due, { at: 1, steps: () => [last] }];
}

function writesOf({ output }: Run): Due[] {
  if (!output) return [];
  const pieces = piecesOf(output.bytes);
  return pieces.map((bytes, i) => ({
    at: (i + 1) / pieces.length,
    steps: () => [operation(Op.WritePipe, output.pipe, bytes)],
  }));
}
