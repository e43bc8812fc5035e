import { fileURLToPath } from 'node:url';

import { builtDemo, start, temporaryDirectory, type Running, type Test } from '../../demos/run-demo.ts';

/** A server that runs as a process of its own. */
export interface DashboardProcess extends Running {
  readonly address: string;
}

export interface SeededProcess extends DashboardProcess {
  /** How many changes it has made by now, give or take a second's. */
  readonly changes: () => number;
}

/** Where `tsc -b spec/e2e/programs` puts them. */
export const builtProgram = (name: string): string => fileURLToPath(new URL(`../../../build/spec/e2e/programs/${name}.js`, import.meta.url));

/** What `npm start` runs, with measurements of this machine that are kept in `directory`. */
export function startTelemetry(test: Test, directory: string, port = 0): Promise<DashboardProcess> {
  return dashboardOf(start(test, process.execPath, [builtDemo('telemetry/main.js'), '--data', directory, '--port', String(port)]));
}

/** The same for a machine that is made up, on which `keys` values change so many times a second besides. */
export async function startSeededTelemetry(test: Test, { changesPerSecond = 0, keys = 0 } = {}): Promise<SeededProcess> {
  const dashboard = await dashboardOf(start(test, process.execPath, [builtProgram('seeded-telemetry'), await temporaryDirectory(test), String(changesPerSecond), String(keys)]));
  return { ...dashboard, changes: () => Number(/^.*changes (\d+)\n/s.exec(dashboard.stdout())?.[1] ?? 0) };
}

/** A server of a store whose entries are numbers, on which it counts on. */
export interface CountingProcess extends Running {
  /** How far it has counted, all of it saved. */
  readonly counted: () => number;
}

export async function startCounting(test: Test, directory: string, port: number): Promise<CountingProcess> {
  const running = start(test, process.execPath, [builtProgram('counting-server'), directory, String(port)]);
  await running.printed(/\n/);
  return { ...running, counted: () => Number(/(\d+)\n[^\n]*$/.exec(running.stdout())?.[1] ?? 0) };
}

async function dashboardOf(running: Running): Promise<DashboardProcess> {
  const printed = /^Dashboard: (http:\S+)$/m;
  await running.printed(printed);
  return { ...running, address: printed.exec(running.stdout())?.[1] ?? '' };
}
