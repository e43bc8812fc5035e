import { describe, expect, it } from 'vitest';

import { parseDisks, parseNetwork } from '../../demos/telemetry/proc-files.ts';
import { sample, type Reading } from '../../demos/telemetry/sampling.ts';

const first: Reading = {
  monotonicMs: 1_000,
  cores: [{ idle: 100, total: 200 }, { idle: 50, total: 200 }],
  memory: { usedBytes: 1_000, processBytes: 100 },
  load: [1, 2, 3],
  network: { received: 10_000, sent: 5_000 },
  disks: { read: 0, written: 4_096 },
  eventLoop: { meanMs: 0, maxMs: 0 },
};
const second: Reading = { ...first, monotonicMs: 1_250 };

describe('a sample', () => {
  it('tells how busy each core was between the readings, and all of them', () => {
    const values = sample(first, { ...second, cores: [{ idle: 125, total: 300 }, { idle: 150, total: 300 }] });
    expect([values['cpu.0'], values['cpu.1'], values['cpu']]).toEqual([75, 0, 37.5]);
  });

  it('calls a core idle for which no time has passed, and keeps within 0 and 100 %', () => {
    expect(sample(first, second)['cpu.0']).toBe(0);
    const odd = sample(first, { ...second, cores: [{ idle: 90, total: 210 }, { idle: 80, total: 220 }] }); // idle time can go back a little
    expect([odd['cpu.0'], odd['cpu.1']]).toEqual([100, 0]);
  });

  it('leaves out a core that was not there before, and all of them where the system tells of none', () => {
    expect(sample({ ...first, cores: [] }, second)).not.toHaveProperty('cpu');
    const plugged = sample({ ...first, cores: first.cores.slice(0, 1) }, second);
    expect(Object.keys(plugged).filter((metric) => metric.startsWith('cpu'))).toEqual(['cpu', 'cpu.0']);
  });

  it('makes bytes a second of counters', () => {
    const values = sample(first, { ...second, network: { received: 11_000, sent: 5_000 }, disks: { read: 512, written: 8_192 } });
    expect([values['network.received'], values['network.sent'], values['disk.read'], values['disk.written']]).toEqual([4_000, 0, 2_048, 16_384]);
  });

  it('tells no rate where no time has passed, or a counter began again', () => {
    expect(sample(first, { ...first, network: { received: 20_000, sent: 9_000 } })['network.received']).toBe(0);
    expect(sample(first, { ...second, network: { received: 7, sent: 6_000 } })).toMatchObject({ 'network.received': 0, 'network.sent': 4_000 });
  });

  it('leaves out what the system does not tell', () => {
    const poor = { ...first, load: undefined, network: undefined, disks: undefined };
    expect(Object.keys(sample(poor, { ...second, load: undefined, network: undefined, disks: undefined })).sort()).toEqual(
      ['cpu', 'cpu.0', 'cpu.1', 'loop.max', 'loop.mean', 'memory.process', 'memory.used'],
    );
    expect(sample(poor, second)).not.toHaveProperty('network.received'); // of a single reading there is no rate
  });

  it('takes gauges as they are, rounded to what is shown', () => {
    const values = sample(first, { ...second, load: [0.123, 1.999, 3], eventLoop: { meanMs: 0.456, maxMs: 12.345 }, memory: { usedBytes: 7, processBytes: 5 } });
    expect(values).toMatchObject({ 'load.1': 0.12, 'load.5': 2, 'load.15': 3, 'loop.mean': 0.46, 'loop.max': 12.35, 'memory.used': 7, 'memory.process': 5 });
  });
});

describe('/proc/net/dev', () => {
  const head = 'Inter-|   Receive                |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets\n';

  it('gives the bytes of all real interfaces, each once', () => {
    const text = `${head}    lo:    3193      29    0    0    0     0          0         0     3193      29    0    0    0     0       0          0
  eth0: 261432356    8938    0    0    0     0          0         0   699656    5926    0    0    0     0       0          0
 wlan0:1000 1 0 0 0 0 0 0 500 1 0 0 0 0 0 0
docker0: 77 1 0 0 0 0 0 0 88 1 0 0 0 0 0 0
`;
    expect(parseNetwork(text)).toEqual({ received: 261_433_356, sent: 700_156 });
  });

  it('gives nothing where there is only the loopback', () => {
    expect(parseNetwork(`${head}    lo: 3193 29 0 0 0 0 0 0 3193 29 0 0 0 0 0 0\n`)).toBeUndefined();
    expect(parseNetwork('')).toBeUndefined();
  });
});

describe('/proc/diskstats', () => {
  it('gives the bytes of whole disks, not of their parts again', () => {
    const text = `   7       0 loop0 9 9 9 9 9 9 9 9 0 0 0 0
 254       0 vda 40563 8982 4144442 46857 186189 37550 21304464 114706 0 23008 165368 12894 55 10881648 2251 34772 1553
 254       1 vda1 40000 8982 4144000 46857 186189 37550 21304000 114706 0 23008 165368
 259       0 nvme0n1 1 0 2 0 1 0 4 0 0 0 0
 259       1 nvme0n1p1 1 0 2 0 1 0 4 0 0 0 0
 253       0 zram0 5 5 5 5 5 5 5 5 0 0 0
`;
    expect(parseDisks(text)).toEqual({ read: 4_144_444 * 512, written: 21_304_468 * 512 });
  });

  it('gives nothing where there is no disk', () => {
    expect(parseDisks('   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0\n')).toBeUndefined();
  });
});
