// Runs several commands of the program one after the other in one process, which starts only once.
// Input: JSON { program, commands: string[][] }; output: JSON of { code, out, err } for each.
const input = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));

async function run(args) {
  const streams = [process.stdout, process.stderr];
  const texts = ['', ''];
  const writes = streams.map((stream) => stream.write);
  for (const [i, stream] of streams.entries()) {
    stream.write = (text) => {
      texts[i] += text;
      return true;
    };
  }
  process.argv = [process.execPath, input.program, ...args];
  process.exitCode = undefined;
  delete require.cache[require.resolve(input.program)];
  try {
    await require(input.program);
  } finally {
    for (const [i, stream] of streams.entries()) stream.write = writes[i];
  }
  return { code: process.exitCode ?? 0, out: texts[0], err: texts[1] };
}

(async () => {
  const ended = [];
  for (const args of input.commands) ended.push(await run(args));
  process.exitCode = 0;
  process.stdout.write(JSON.stringify(ended));
})();
