/** Bytes since the machine started. */
export interface NetworkCounters {
  readonly received: number;
  readonly sent: number;
}

/** Bytes since the machine started. */
export interface DiskCounters {
  readonly read: number;
  readonly written: number;
}

// Bridges, tunnels and their like carry what a real interface carries, too; it would count twice.
const virtualInterface = /^(lo|ifb|veth|docker|br-|virbr|cni|flannel|tap|tun|wg|dummy|bond)/;
const wholeDisk = /^(sd[a-z]+|hd[a-z]+|vd[a-z]+|xvd[a-z]+|nvme\d+n\d+|mmcblk\d+)$/;
/** In /proc/diskstats, whatever the disk's own sectors are (kernel.org, Documentation/admin-guide/iostats.rst). */
const sectorBytes = 512;

/** What all real interfaces received and sent, as /proc/net/dev tells; `undefined` if there is none. */
export function parseNetwork(text: string): NetworkCounters | undefined {
  const rows = text.split('\n').flatMap((line) => {
    const [name, counters] = line.split(':');
    if (name === undefined || counters === undefined || virtualInterface.test(name.trim())) return [];
    const columns = counters.trim().split(/\s+/).map(Number);
    return [{ received: columns[0] ?? 0, sent: columns[8] ?? 0 }];
  });
  if (rows.length === 0) return undefined;
  return { received: sum(rows.map(({ received }) => received)), sent: sum(rows.map(({ sent }) => sent)) };
}

/** What was read from and written to all whole disks, as /proc/diskstats tells; `undefined` if there is none. */
export function parseDisks(text: string): DiskCounters | undefined {
  const rows = text.split('\n').flatMap((line) => {
    const columns = line.trim().split(/\s+/);
    if (!wholeDisk.test(columns[2] ?? '')) return [];
    return [{ read: Number(columns[5]) * sectorBytes, written: Number(columns[9]) * sectorBytes }];
  });
  if (rows.length === 0) return undefined;
  return { read: sum(rows.map(({ read }) => read)), written: sum(rows.map(({ written }) => written)) };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
