import { describe, expect, it } from 'vitest';

import type { Sample } from '../../demos/telemetry/history.ts';
import { compareMetrics, formatValue, metricOf } from '../../demos/telemetry/metrics.ts';
import { withColours, withoutColours } from '../../demos/telemetry/paint.ts';
import type { Saving } from '../../demos/telemetry/saving.ts';
import { condense, sparkline } from '../../demos/telemetry/sparkline.ts';
import { renderLine, renderScreen, type View } from '../../demos/telemetry/view.ts';

const saving: Saving = { state: 'idle', pending: 3, batches: 4, saved: 50, savedPerSecond: 12.34, error: undefined };

/** A machine with so many cores, seen for ten seconds. */
function viewOf(cores: number, changes: Partial<View> = {}): View {
  const metrics = ['loop.max', 'memory.used', 'cpu', ...Array.from({ length: cores }, (_, core) => `cpu.${core}`), 'network.received'];
  const samples = Array.from({ length: 40 }, (_, index): Sample => ({ sequence: index + 1, at: index, values: Object.fromEntries(metrics.map((metric) => [metric, index])) }));
  return {
    place: 'data/telemetry.sqlite',
    found: 'Nothing is kept here yet.',
    address: 'http://127.0.0.1:8080/',
    elapsedSeconds: 9.6,
    seconds: undefined,
    current: metrics.map((metric) => [metric, { value: 39, at: 39 }]),
    samples,
    saving,
    ...changes,
  };
}

const screen = (view: View, columns: number, rows: number): readonly string[] => renderScreen(view, { columns, rows }, withoutColours);

describe('the screen', () => {
  it('shows each metric with its value, its bounds and its history', () => {
    const lines = screen(viewOf(2), 80, 24);
    expect(lines.find((line) => line.startsWith(' cpu '))).toMatch(/^ cpu +39\.0 % +0\.0 % +39\.0 % +[▁-▄]+$/);
    expect(lines.find((line) => line.includes('net received'))).toMatch(/39 B\/s +0 B\/s +39 B\/s +▂[▁-█]*█$/);
    expect(lines.findIndex((line) => line.includes('core 1'))).toBeLessThan(lines.findIndex((line) => line.includes('memory used')));
  });

  it.each([[80, 24], [120, 40], [200, 60], [44, 16], [20, 10], [10, 3], [1, 1]])('is never wider or higher than the terminal: %i x %i', (columns, rows) => {
    for (const cores of [0, 2, 96]) {
      const error = 'a long message\nof two lines '.repeat(20);
      const lines = screen(viewOf(cores, { saving: { ...saving, error, state: 'failing' }, found: 'Found '.repeat(40) }), columns, rows);
      expect(lines.length).toBeLessThanOrEqual(rows);
      if (columns >= 28) expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
      expect(lines.join('')).not.toContain('\n');
    }
  });

  it('leaves out the history, then the bounds, where there is no room', () => {
    expect(screen(viewOf(1), 80, 24).join('\n')).toMatch(/min +max +last 240 samples/);
    expect(screen(viewOf(1), 54, 24).join('\n')).toMatch(/now +min +max$/m);
    expect(screen(viewOf(1), 44, 24).join('\n')).toMatch(/now +history$/m);
    expect(screen(viewOf(1), 32, 24).join('\n')).toMatch(/now$/m);
  });

  it('says how many cores it does not show, and shows everything else', () => {
    const lines = screen(viewOf(96), 80, 24).join('\n');
    expect(lines).toMatch(/core 9 [^]*and 86 more cores\n memory used[^]*net received[^]*loop longest[^]*● idle/);
  });

  it('sets groups apart where there is room', () => {
    expect(screen(viewOf(1), 80, 40).join('\n')).toMatch(/core 0.*\n\n memory used/);
    expect(screen(viewOf(10), 80, 24).join('\n')).toMatch(/core 9.*\n memory used/);
  });

  it('tells how saving goes, and the last error', () => {
    expect(screen(viewOf(1), 80, 24).join('\n')).toMatch(/● idle {5}4 batches, mean 12\.5 {3}12\.3 saved\/s {3}3 pending\n no errors/);
    const failing = viewOf(1, { saving: { ...saving, state: 'failing', error: 'The disk is full (attempt 5 of 5)' } });
    expect(screen(failing, 80, 24).join('\n')).toMatch(/● failing [^]*\n The disk is full \(attempt 5 of 5\)/);
  });

  it('says where the dashboard is, also where there is little room', () => {
    expect(screen(viewOf(1), 80, 24).at(-1)).toBe(' Dashboard: http://127.0.0.1:8080/   Ctrl-C saves everything and ends.');
    expect(screen(viewOf(1), 44, 16).at(-1)).toMatch(/^ Dashboard: http:\/\/127\.0\.0\.1:8080\/ /);
  });

  it('does not show what is not measured any more', () => {
    const view = viewOf(1);
    expect(screen({ ...view, current: [...view.current, ['cpu.7', { value: 1, at: 2 }]] }, 80, 24).join('\n')).not.toContain('core 7');
  });

  it('shows a table without rows before there is anything to see', () => {
    const lines = screen(viewOf(0, { current: [], samples: [], saving: { ...saving, batches: 0, saved: 0 } }), 80, 24);
    expect(lines.join('\n')).toContain('0 batches, mean 0.0');
    expect(lines.join('\n')).not.toMatch(/NaN|Infinity/);
  });

  it('tells the time, and when it will end', () => {
    expect(screen(viewOf(1), 80, 24)[0]).toMatch(/10 s · data\/telemetry\.sqlite$/);
    expect(screen(viewOf(1, { seconds: 60 }), 80, 24)[0]).toMatch(/10 of 60 s · /);
  });

  it('has colours that take no room', () => {
    const coloured = renderScreen(viewOf(2), { columns: 80, rows: 24 }, withColours);
    const bare = coloured.map((line) => line.split('\x1b[').map((part, index) => (index === 0 ? part : part.replace(/^\d+m/, ''))).join(''));
    expect(bare).toEqual(screen(viewOf(2), 80, 24));
    expect(coloured.join('')).toContain('\x1b[32m● idle');
  });
});

describe('the line', () => {
  it('tells the sample, the values, and how saving goes', () => {
    expect(renderLine(viewOf(1))).toMatch(/^\d\d:\d\d:\d\d {2}sample 40 {2}cpu 39\.0 %, memory used 39 B, net received 39 B\/s, loop longest 39\.0 ms {2}\| {2}idle {2}4 batches, mean 12\.5 {2}12\.3 saved\/s {2}3 pending$/);
  });

  it('tells an error', () => {
    expect(renderLine(viewOf(1, { saving: { ...saving, error: 'The disk is full' } }))).toMatch(/ {2}\| {2}error: The disk is full$/);
  });
});

describe('a sparkline', () => {
  it('goes from the lowest bar to the highest', () => {
    expect(sparkline([0, 1, 2, 3, 4, 5, 6, 7], 'from zero')).toBe('▁▂▃▄▅▆▇█');
  });

  it('stands on zero, on its own range, or on 0 to 100 %', () => {
    expect(sparkline([50, 100], 'from zero')).toBe('▅█');
    expect(sparkline([50, 100], 'its own range')).toBe('▁█');
    expect(sparkline([5, 10], 'percent')).toBe('▁▂');
  });

  it('is low where all values are alike or zero, and empty where there is none', () => {
    expect(sparkline([7, 7], 'its own range')).toBe('▁▁');
    expect(sparkline([0, 0], 'from zero')).toBe('▁▁');
    expect(sparkline([undefined, 3], 'percent')).toBe(' ▁');
    expect(sparkline([undefined], 'from zero')).toBe(' ');
    expect(sparkline([], 'from zero')).toBe('');
  });

  it('is made of means over as many samples as fit the width', () => {
    const values = Array.from({ length: 8 }, (_, index) => [index, index] as const);
    expect(condense(values, 8, 4)).toEqual([0.5, 2.5, 4.5, 6.5]);
    expect(condense(values.slice(0, 3), 8, 4)).toEqual([undefined, undefined, 0.5, 2]);
    expect(condense([], 8, 2)).toEqual([undefined, undefined]);
  });

  it('moves on without changing what it has drawn', () => {
    const values = Array.from({ length: 50 }, (_, index) => [index, (index * 7) % 11] as const);
    for (let seen = 10; seen < 49; seen++) {
      const [before, after] = [condense(values.slice(0, seen), 16, 4), condense(values.slice(0, seen + 1), 16, 4)];
      const moved = seen % 4 === 0 ? 1 : 0;
      expect(after.slice(0, 3 - moved)).toEqual(before.slice(moved, 3));
    }
  });
});

describe('a value', () => {
  it.each([
    ['percent', 99.95, '100.0 %'], ['bytes', 0, '0 B'], ['bytes', 1_023, '1023 B'], ['bytes', 1_024, '1.00 KiB'], ['bytes', 10.5 * 1_024, '10.5 KiB'],
    ['bytes', 665 * 1_024 ** 2, '665 MiB'], ['bytes', 1.25 * 1_024 ** 3, '1.25 GiB'], ['bytesPerSecond', 2 * 1_024 ** 5, '2048 TiB/s'], ['milliseconds', 1.25, '1.3 ms'], ['plain', 0.5, '0.50'],
  ] as const)('of %s, %d, is written %s', (unit, value, text) => {
    expect(formatValue(unit, value)).toBe(text);
  });
});

describe('metrics', () => {
  it('are sorted as they are to be read', () => {
    const ids = ['memory.used', 'cpu.10', 'cpu.2', 'loop.max', 'cpu', 'something.new', 'load.15', 'load.1'];
    expect(ids.sort(compareMetrics)).toEqual(['cpu', 'cpu.2', 'cpu.10', 'memory.used', 'load.1', 'load.15', 'loop.max', 'something.new']);
  });

  it('are described, also those that this version does not know', () => {
    expect(metricOf('cpu.12')).toMatchObject({ label: 'core 12', group: 'cpu', unit: 'percent' });
    expect(metricOf('something.new')).toMatchObject({ label: 'something.new', unit: 'plain' });
  });
});
