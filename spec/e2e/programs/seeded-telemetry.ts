// The dashboard, served as `npm start` serves it, of a machine that is made up: what a page shows follows from a seed, and can be
// more than a real machine tells. Its minute of samples is full from the beginning. Prints `Dashboard: ADDRESS`, and then, each
// second, `changes N`: how many it has made in all besides those of the samples.
//   seeded-telemetry.js DIRECTORY CHANGES KEYS
// CHANGES a second are made of so many KEYS, the metrics among them, in turn.
import { openDashboard } from '../../../demos/dashboard/open-dashboard.ts';
import { capacity } from '../../../demos/telemetry/history.ts';
import { openMeasurements, placeOf } from '../../../demos/telemetry/open-measurements.ts';
import { followSaving } from '../../../demos/telemetry/saving.ts';
import { Random } from '../../crash/random.ts';
import { SeededMachine } from './seeded-values.ts';

const sampleMs = 250;
const stepMs = 5;

const [directory = '', ...numbers] = process.argv.slice(2);
const [changesPerSecond = 0, keyCount = 0] = numbers.map(Number);
const measurements = await openMeasurements({ provider: 'sqlite', directory });
const { current, slots } = measurements;

const machine = new SeededMachine(7);
const began = Date.now();
for (let past = capacity; past > 0; past--) measurements.add(began - past * sampleMs, machine.next());
setInterval(() => measurements.add(Date.now(), machine.next()), sampleMs);

const metrics = [...current.keys()];
const keys = Array.from({ length: keyCount }, (_, index) => metrics[index] ?? `sensor.${String(index).padStart(4, '0')}`);
const random = new Random(11);
let changes = 0;
// As many as are due by the clock: timers come late on a busy machine, and changes must not be fewer for it.
setInterval(() => {
  for (const due = ((Date.now() - began) / 1_000) * changesPerSecond; changes < due; changes++) {
    const key = keys[changes % keys.length];
    if (key !== undefined) current.set(key, { value: Math.round(random.next() * 10_000) / 100, at: Date.now() });
  }
}, stepMs);
setInterval(() => console.log(`changes ${changes}`), 1_000);

const saving$ = followSaving([current, slots], () => performance.now());
const dashboard = await openDashboard({ measurements, saving$, place: placeOf({ provider: 'sqlite', directory: 'data' }), port: 0 });
console.log(`Dashboard: ${dashboard?.address ?? 'not built'}`);
