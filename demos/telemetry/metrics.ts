/** What a value counts, and so how it is written. */
export type Unit = 'percent' | 'bytes' | 'bytesPerSecond' | 'milliseconds' | 'plain';

/** What the lowest and the highest bar of a metric's history stand for. */
export type Scale = 'percent' | 'from zero' | 'its own range';

export interface Metric {
  readonly id: string;
  readonly label: string;
  readonly group: string;
  readonly unit: Unit;
  readonly scale: Scale;
}

const described: Readonly<Record<string, readonly [label: string, unit: Unit, scale: Scale]>> = {
  cpu: ['cpu', 'percent', 'percent'],
  'memory.used': ['memory used', 'bytes', 'its own range'],
  'memory.process': ['this process', 'bytes', 'its own range'],
  'load.1': ['load 1 min', 'plain', 'from zero'],
  'load.5': ['load 5 min', 'plain', 'from zero'],
  'load.15': ['load 15 min', 'plain', 'from zero'],
  'network.received': ['net received', 'bytesPerSecond', 'from zero'],
  'network.sent': ['net sent', 'bytesPerSecond', 'from zero'],
  'disk.read': ['disk read', 'bytesPerSecond', 'from zero'],
  'disk.written': ['disk written', 'bytesPerSecond', 'from zero'],
  'loop.mean': ['loop delay', 'milliseconds', 'from zero'],
  'loop.max': ['loop longest', 'milliseconds', 'from zero'],
};

const order = Object.keys(described);

/** What is to be known of a metric; also of one that another version of this program stored. */
export function metricOf(id: string): Metric {
  const group = id.split('.')[0] ?? id;
  const [label, unit, scale] = described[id] ?? (isCore(id) ? [`core ${id.slice(4)}`, 'percent', 'percent'] : [id, 'plain', 'from zero']);
  return { id, label, group, unit, scale };
}

export function isCore(id: string): boolean {
  return /^cpu\.\d+$/.test(id);
}

/** Sorts as they are to be read: the cores behind the CPU as a whole. */
export function compareMetrics(left: string, right: string): number {
  return placeOf(left) - placeOf(right) || left.localeCompare(right, 'en', { numeric: true });
}

function placeOf(id: string): number {
  const place = order.indexOf(isCore(id) ? 'cpu' : id);
  return place === -1 ? order.length : place;
}

const binaryUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function formatValue(unit: Unit, value: number): string {
  switch (unit) {
    case 'percent':
      return `${value.toFixed(1)} %`;
    case 'bytes':
      return formatBytes(value);
    case 'bytesPerSecond':
      return `${formatBytes(value)}/s`;
    case 'milliseconds':
      return `${value.toFixed(1)} ms`;
    case 'plain':
      return value.toFixed(2);
  }
}

function formatBytes(bytes: number): string {
  const power = Math.max(0, Math.min(binaryUnits.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  const scaled = bytes / 1_024 ** power;
  return `${scaled.toFixed(power === 0 || scaled >= 100 ? 0 : scaled >= 10 ? 1 : 2)} ${binaryUnits[power] ?? ''}`;
}
