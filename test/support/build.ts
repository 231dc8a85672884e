import { execFileSync } from 'node:child_process';

/** Tests of the built program need it built; takes a second. */
export default function setup(): void {
  execFileSync('npm', ['run', '-s', 'build'], { stdio: 'inherit' });
}
