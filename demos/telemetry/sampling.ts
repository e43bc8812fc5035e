import type { DiskCounters, NetworkCounters } from './proc-files.ts';

/** One core's time since the machine started, in any unit. */
export interface CoreTimes {
  readonly idle: number;
  readonly total: number;
}

/** What the machine's counters and gauges showed at one moment. */
export interface Reading {
  /** Milliseconds of a clock that never goes back. */
  readonly monotonicMs: number;
  readonly cores: readonly CoreTimes[];
  readonly memory: { readonly usedBytes: number; readonly processBytes: number };
  /** Over 1, 5 and 15 minutes; not known on Windows. */
  readonly load: readonly number[] | undefined;
  readonly network: NetworkCounters | undefined;
  readonly disks: DiskCounters | undefined;
  /** Of this process, since the reading before. */
  readonly eventLoop: { readonly meanMs: number; readonly maxMs: number };
}

/** Values by metric. */
export type Values = Readonly<Record<string, number>>;

/** What two readings, one after the other, say of the time between them. */
export function sample(previous: Reading, current: Reading): Values {
  return {
    ...sampleCores(previous.cores, current.cores),
    'memory.used': current.memory.usedBytes,
    'memory.process': current.memory.processBytes,
    ...sampleLoad(current.load),
    ...sampleTraffic(previous, current),
    'loop.mean': round(current.eventLoop.meanMs),
    'loop.max': round(current.eventLoop.maxMs),
  };
}

function sampleCores(previous: readonly CoreTimes[], current: readonly CoreTimes[]): Values {
  const deltas = current.flatMap((core, index) => {
    const before = previous[index]; // a core may have been plugged in
    return before === undefined ? [] : [{ index, idle: core.idle - before.idle, total: core.total - before.total }];
  });
  if (deltas.length === 0) return {};
  const all = { idle: deltas.reduce((sum, { idle }) => sum + idle, 0), total: deltas.reduce((sum, { total }) => sum + total, 0) };
  return { cpu: busyPercent(all), ...Object.fromEntries(deltas.map((delta) => [`cpu.${delta.index}`, busyPercent(delta)])) };
}

/** 0 where no time passed; the kernel's idle time may also go back a little. */
function busyPercent({ idle, total }: CoreTimes): number {
  return total <= 0 ? 0 : round(Math.min(100, Math.max(0, 100 * (1 - idle / total))));
}

function sampleLoad(load: readonly number[] | undefined): Values {
  const [one, five, fifteen] = load ?? [];
  if (one === undefined || five === undefined || fifteen === undefined) return {};
  return { 'load.1': round(one), 'load.5': round(five), 'load.15': round(fifteen) };
}

function sampleTraffic(previous: Reading, current: Reading): Values {
  const seconds = (current.monotonicMs - previous.monotonicMs) / 1_000;
  const network = current.network !== undefined && previous.network !== undefined && {
    'network.received': perSecond(previous.network.received, current.network.received, seconds),
    'network.sent': perSecond(previous.network.sent, current.network.sent, seconds),
  };
  const disks = current.disks !== undefined && previous.disks !== undefined && {
    'disk.read': perSecond(previous.disks.read, current.disks.read, seconds),
    'disk.written': perSecond(previous.disks.written, current.disks.written, seconds),
  };
  return { ...network, ...disks };
}

/** 0 where no time passed, or the counter began again. */
function perSecond(before: number, now: number, seconds: number): number {
  return seconds <= 0 || now < before ? 0 : Math.round((now - before) / seconds);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
