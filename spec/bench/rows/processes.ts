import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import type { Task, Told } from '../member-process.ts';
import type { Contest, Row, Scene } from '../row.ts';
import { quantile } from '../statistics.ts';
import { openOwn, providerIn, titles, type StorageName } from '../storages.ts';
import { keyAt, timed } from '../work.ts';

const group = 'Several processes';
const program = fileURLToPath(new URL('../member-process.js', import.meta.url));

/** Another process that has the dictionary open. */
class Member {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  static async open({ defer, ...scene }: Scene, storage: StorageName, place: string, role: Task['role']): Promise<Member> {
    const member = new Member();
    defer(() => member.end());
    await member.ask({ role, storage, place, scene });
    return member;
  }

  private constructor() {
    this.#child = fork(program);
    this.#ended = once(this.#child, 'exit');
  }

  /** Resolves to what it has to say to that. */
  async ask(message: Task | number): Promise<readonly number[]> {
    const answered = once(this.#child, 'message');
    this.#child.send(message);
    const [answer] = (await Promise.race([answered, this.#ended.then(() => [])])) as readonly (Told | undefined)[];
    if (answer === undefined) throw new Error('A member ended before its time.');
    return answer.figures;
  }

  async end(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    await this.#ended;
  }
}

const writes = 3_000;

/** Three processes that write one dictionary, against one that writes as much. */
function writers(storage: 'sqlite-worker' | 'postgres'): Row {
  const prepare = async (scene: Scene): Promise<Contest> => {
    const open = (place: string): Promise<Member> => Member.open(scene, storage, place, 'write');
    const [first, second, third, alone] = [await open('many'), await open('many'), await open('many'), await open('one')];
    const writesASecond = async (members: readonly Member[], round: number): Promise<number> => {
      const ms = await timed(() => Promise.all(members.map((member, index) => member.ask(round * 10 + index))));
      return (members.length * writes) / (ms / 1e3);
    };
    return { ours: (round) => writesASecond([first, second, third], round), limit: (round) => writesASecond([alone], round) };
  };
  const line = { title: `three processes that write one dictionary in batches of 100, ${titles[storage]}`, limit: 'one process', unit: 'writes/s' } as const;
  return { name: `processes-${storage}`, group, lines: [line], rounds: { quick: 0, full: 9 }, needsPostgres: storage === 'postgres', prepare };
}

/** From `set` here until `changes$` there tells it. */
function latency(storage: StorageName): Row {
  const prepare = async (scene: Scene): Promise<Contest> => {
    const own = await openOwn(providerIn(scene, storage, 'own'));
    scene.defer(() => own.close());
    const reader = await Member.open(scene, storage, 'own', 'read');
    return {
      async ours(round) {
        const heard = reader.ask(30);
        for (let write = 0; write < 30; write++) {
          await own.store.setAndSave(keyAt(write), { stamp: Number(process.hrtime.bigint()), id: round }); // one clock for all processes
          await wait(20);
        }
        const ms = await heard;
        return [quantile(ms, 0.5), quantile(ms, 0.95)];
      },
    };
  };
  const lines = [
    { title: `from \`set\` to another process's \`changes$\`, on the median, ${titles[storage]}`, unit: 'ms' },
    { title: `95 of 100, ${titles[storage]}`, unit: 'ms' },
  ] as const;
  return { name: `latency-${storage}`, group, lines, rounds: { quick: 0, full: 9 }, needsPostgres: storage === 'postgres', prepare };
}

export const processes: readonly Row[] = [writers('sqlite-worker'), writers('postgres'), latency('json-file'), latency('sqlite-worker'), latency('postgres')];
