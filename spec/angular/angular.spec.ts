import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { persistify, type Store } from 'rx-persistify';
import { remote } from 'rx-persistify/remote';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';

import type { Current, Slots } from '../../demos/telemetry/history.ts';
import { listen, openStore, serve } from '../server/scene.ts';
import { buildProgram } from './build-program.ts';
import type * as Program from './program/program.ts';

type Sensors = Store<Record<string, number>>;

let program: typeof Program;

beforeAll(async () => {
  program = (await import(await buildProgram())) as typeof Program;
}, 180_000); // Angular's compiler takes seconds of a processor, which other specs want, too

/** A store, and the same as it is followed: itself, or over its feed. */
const stores = {
  'in memory': async () => {
    const store = (await openStore({ kitchen: 20 })) as Sensors;
    return { source: store, store };
  },
  'over the network': async () => {
    const source = (await openStore({ kitchen: 20 })) as Sensors;
    const { url } = await listen(serve(source));
    const store = await persistify(remote({ url })).open<Record<string, number>>('sensors');
    onTestFinished(() => store.close());
    return { source, store };
  },
};

/** An application that shows a component, rendered as text. */
async function render<T>(component: new () => T, providers: Parameters<typeof Program.startApplication>[0]) {
  const { ApplicationRef, createComponent, startApplication, TextNode } = program;
  const { injector, destroy } = await startApplication(providers);
  const page = new TextNode();
  const shown = createComponent(component, { environmentInjector: injector, hostElement: page as unknown as Element }); // to the renderer all nodes are its own
  injector.get(ApplicationRef).attachView(shown.hostView);
  onTestFinished(destroy);
  return { instance: shown.instance, read: () => page.content, destroy: () => shown.destroy(), destroyApplication: destroy };
}

function renderThermometer(store: Sensors) {
  return render(program.Thermometer, [{ provide: program.SENSORS, useValue: store }]);
}

describe.each(Object.entries(stores))('in Angular, zoneless, a store %s', (_where, open) => {
  it('is there without an initial value, and is followed', async () => {
    const { source, store } = await open();
    const { instance, read } = await renderThermometer(store);
    expect([instance.kitchen(), instance.hasKitchen(), instance.size(), instance.entries(), instance.status().state]).toEqual([20, true, 1, [['kitchen', 20]], 'idle']);

    await expect.poll(read).toBe('kitchen 68 °F, attic absent, 1 of kitchen'); // nothing was told to render: the signals did
    source.set('kitchen', 25);
    source.set('attic', 31);
    await expect.poll(read).toBe('kitchen 77 °F, attic 31, 2 of kitchen+attic');
    source.delete('kitchen');
    await expect.poll(read).toBe('no kitchen, attic 31, 1 of attic');
  });

  it('is followed no longer than the component lives', async () => {
    const { source, store } = await open();
    const { instance, read, destroy } = await renderThermometer(store);
    await expect.poll(read).toContain('68 °F');
    destroy();
    source.set('kitchen', 30);
    await expect.poll(() => store.get('kitchen')).toBe(30);
    expect(instance.kitchen()).toBe(20);
    expect(instance.entries()).toEqual([['kitchen', 20]]);
  });

  it('still shows the last when it is closed', async () => {
    const { store } = await open();
    const { instance, read } = await renderThermometer(store);
    await store.close();
    await expect.poll(read).toBe('kitchen 68 °F, attic absent, 1 of kitchen');
    expect(instance.status().state).toBe('closed');
  });

  it('can be shown when it has been closed before', async () => {
    const { store } = await open();
    await store.close();
    const { instance, read } = await renderThermometer(store);
    expect([instance.kitchen(), instance.status().state]).toEqual([20, 'closed']);
    await expect.poll(read).toBe('kitchen 68 °F, attic absent, 1 of kitchen');
  });
});

describe('the example of the README', () => {
  it('is what is compiled here', async () => {
    const readme = await readFile(join(import.meta.dirname, '..', '..', 'README.md'), 'utf8');
    const [, example] = /^```typescript\n(.*?)^```$/ms.exec(readme) ?? [];
    expect(example).toBe(await readFile(join(import.meta.dirname, 'program', 'kitchen.ts'), 'utf8'));
  });

  it('shows what the server has, until the application ends', async () => {
    const sensors = await openStore({ kitchen: 20 });
    const feed = serve(sensors);
    const { url } = await listen(feed);
    const { read, destroyApplication } = await render<unknown>(program.Kitchen, [await program.provideSensors(url)]);
    await expect.poll(read).toBe('kitchen 20 °C, attic absent');
    sensors.set('attic', 31);
    await expect.poll(read).toBe('kitchen 20 °C, attic 31');
    expect(feed.readers).toBe(1);
    destroyApplication();
    await expect.poll(() => feed.readers).toBe(0);
  });
});

describe("the dashboard's stores", () => {
  const at = 1_700_000_000_000;

  async function openServed() {
    const current = (await openStore({ 'load.1': { value: 1, at }, cpu: { value: 50, at } }, 'current')) as Store<Current>;
    const samples = (await openStore({ '001': { sequence: 1, at, values: { cpu: 50, 'load.1': 1 } } }, 'samples')) as Store<Slots>;
    const { url } = await listen(serve([current, samples]));
    return { current, samples, stores: await program.openStores(url) };
  }

  it('are injected, and closed with the application', async () => {
    const { stores } = await openServed();
    const { CURRENT, provideStores, startApplication } = program;
    const { injector, destroy } = await startApplication([provideStores(stores)]);
    expect(injector.get(CURRENT).get('cpu')).toEqual({ value: 50, at });
    destroy();
    await expect.poll(() => [stores.current.status.state, stores.samples.status.state]).toEqual(['closed', 'closed']);
  });

  it('are signals from the beginning: keys in their order, samples, and how all stands', async () => {
    const { current, samples, stores } = await openServed();
    const { provideStores, startApplication, Telemetry } = program;
    const { run, destroy } = await startApplication([provideStores(stores)]);
    onTestFinished(destroy);
    const telemetry = run(() => new Telemetry());
    expect(telemetry.keys()).toEqual(['cpu', 'load.1']);
    expect(telemetry.shown()?.sequence).toBe(1);
    expect(telemetry.standing()).toMatchObject({ state: 'idle', connection: { state: 'connected' } });

    current.set('cpu.0', { value: 1, at });
    samples.set('002', { sequence: 2, at: at + 250, values: { cpu: 60 } });
    await expect.poll(() => telemetry.keys()).toEqual(['cpu', 'cpu.0', 'load.1']);
    await expect.poll(() => telemetry.shown()?.sequence).toBe(2);
    telemetry.pointedAt.set(at);
    expect(telemetry.shown()?.sequence).toBe(1);
  });
});
