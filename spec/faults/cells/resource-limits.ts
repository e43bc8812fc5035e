import { execFileSync } from 'node:child_process';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** A limit of the kernel on a process. `fsize`: the bytes of a file. `nofile`: the number above which no descriptor lies. */
export type Resource = 'fsize' | 'nofile';

/** Limits a process that runs. `undefined`: no more than the machine does. */
export function limit(pid: number, resource: Resource, most: number | undefined): void {
  execFileSync('prlimit', ['--pid', String(pid), `--${resource}=${most ?? hardLimits[resource]}:`]); // only the soft limit: the hard one cannot be raised again
}

const hardLimits: Readonly<Record<Resource, number | 'unlimited'>> = { fsize: 'unlimited', nofile: 4_096 };

/** How many bytes the longest file of a directory has. */
export async function longestFile(directory: string): Promise<number> {
  const sizes = await Promise.all((await readdir(directory)).map(async (name) => stat(join(directory, name)).then(({ size }) => size, () => 0)));
  return Math.max(0, ...sizes);
}

/** How many descriptors a process has open. */
export async function openDescriptors(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length;
}
