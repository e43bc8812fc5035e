import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import process from 'node:process';

const found = {
  Linux: () => process.platform === 'linux',
  root: () => process.getuid?.() === 0,
  strace: () => runs('strace', '-V'),
  prlimit: () => runs('prlimit', '-V'),
  /** Where temporary directories are made. */
  chattr: () => runs('lsattr', '-d', tmpdir()),
  'mkfs.ext4': () => runs('mkfs.ext4', '-V'),
  perl: () => runs('perl', '-v'),
  /** Also whether a file system can be mounted at all, which a container may forbid. */
  'loop devices': () => runs('losetup', '-f'),
  unshare: () => runs('unshare', '--version'),
} as const satisfies Record<string, () => boolean>;

/** What some faults need, and not every machine has. */
export type Part = keyof typeof found;

const known = new Map<Part, boolean>();

/** Whether this machine lacks it. */
export function missing(part: Part): boolean {
  let isThere = known.get(part);
  if (isThere === undefined) known.set(part, (isThere = found[part]()));
  return !isThere;
}

function runs(command: string, ...args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}
