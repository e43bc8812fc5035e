import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** Who holds a lock: enough to tell, later and from another process, whether he still lives. */
export interface Owner {
  /** Random, of this one holding. */
  readonly id: string;
  /** His id as one who claims from himself, to give the lock back. */
  readonly releaseId: string;
  readonly pid: number;
  /** When the process started, in the kernel's ticks since boot, or in milliseconds where the kernel does not say; a pid is used again. */
  readonly startedAt: string;
  readonly hostname: string;
  /** Random at each boot of the machine; empty where there is none. */
  readonly bootId: string;
  /** Random at the installation of the system (machine-id(5)); empty where there is none, as in most containers. */
  readonly machineId: string;
  /** Containers number their processes each for itself; empty where there are none. */
  readonly pidNamespace: string;
  /** Whether he displaced one who may still live. */
  readonly tookOver?: boolean;
}

export function thisProcess(id: string, releaseId: string): Owner {
  return {
    id,
    releaseId,
    pid: process.pid,
    startedAt: startOf(process.pid)?.startedAt ?? ownStart,
    hostname: hostname(),
    bootId: textOf('/proc/sys/kernel/random/boot_id'),
    machineId: textOf('/etc/machine-id'),
    pidNamespace: pidNamespace(),
  };
}

/** The ids of those who ended in this process and could not take their files away: its pid says that they live. */
const gone = new Set<string>();

/** From now on this process counts the owner as dead, though it lives itself. */
export function giveUp({ id, releaseId }: Owner): void {
  gone.add(id).add(releaseId);
}

/** `unknown`: it is another machine's or another container's process, of which we can see nothing. */
export type Judgement = 'alive' | 'dead' | 'unknown';

export function judge(owner: Owner): Judgement {
  if (gone.has(owner.id)) return 'dead';
  const self = thisProcess('', '');
  if (owner.bootId !== self.bootId) return isRebooted(owner, self) ? 'dead' : 'unknown';
  // Without a boot id (macOS, Windows), only the name tells machines apart.
  if (self.bootId === '' && owner.hostname !== self.hostname) return 'unknown';
  if (owner.pidNamespace !== self.pidNamespace) return 'unknown';
  if (owner.pid === self.pid) return owner.startedAt === self.startedAt ? 'alive' : 'dead';
  return judgeHere(owner);
}

/** Whether it is this very machine that has had another boot since: two of one name may share a disk, and so may two containers of one image. */
function isRebooted(owner: Owner, self: Owner): boolean {
  const isKnown = owner.bootId !== '' && self.bootId !== '' && self.machineId !== '';
  return isKnown && owner.machineId === self.machineId && owner.hostname === self.hostname;
}

function judgeHere(owner: Owner): Judgement {
  const found = startOf(owner.pid);
  if (found !== undefined) return found.startedAt === owner.startedAt && !found.ended ? 'alive' : 'dead';
  // With /proc mounted with hidepid, or without /proc, a signal still tells whether there is a process of that pid.
  try {
    process.kill(owner.pid, 0);
    return 'alive';
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH' ? 'dead' : 'alive';
  }
}

/** For systems that do not say when a process started; only ever compared with itself. */
const ownStart = String(Math.round(performance.timeOrigin));

/** proc(5): the state and the start time are the 3rd and the 22nd field; the 2nd, in parentheses, may hold anything. */
function startOf(pid: number): { startedAt: string; ended: boolean } | undefined {
  const stat = textOf(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  const startedAt = fields[19];
  if (state === undefined || startedAt === undefined) return undefined;
  // A zombie has ended; only its parent has not asked for its status yet.
  return { startedAt, ended: state === 'Z' || state === 'X' };
}

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

/** What a lock file holds, as it is written. */
export function ownerText(owner: Owner, storeName: string): string {
  return `${JSON.stringify({ ...owner, store: storeName })}\n`;
}

/** @returns undefined for what is no lock of ours. */
export function ownerFrom(text: string): Owner | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { id, releaseId, pid, startedAt, hostname: host, bootId, pidNamespace: namespace, tookOver, machineId } = value as Readonly<Record<string, unknown>>;
  if (typeof id !== 'string' || typeof releaseId !== 'string' || typeof pid !== 'number' || typeof startedAt !== 'string') return undefined;
  if (typeof host !== 'string' || typeof bootId !== 'string' || typeof namespace !== 'string') return undefined;
  return { id, releaseId, pid, startedAt, hostname: host, bootId, machineId: typeof machineId === 'string' ? machineId : '', pidNamespace: namespace, ...(tookOver === true && { tookOver }) };
}
