// One process of a history: it opens the store, writes and observes as its parent says, and is killed now and then.
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';

import { CorruptDataError, persistify, PersistifyError, type Store } from 'rx-persistify';

import { Journal } from './journal.ts';
import { losingAnswers, type LosingProvider } from './losing-answers.ts';
import { digestOf } from './memory-digest.ts';
import type { MemberPlan, Order, Report } from './messages.ts';
import { providerAt, storeName } from './place.ts';
import { Witness } from './witness.ts';
import { Workload } from './workload.ts';
import type { History } from './written-value.ts';

/** Soon enough that a history has many commits. */
const intervalMs = 20;
/** Quick enough that an outage of a second is over soon after it. */
const retry = { maxAttempts: 5, delayMs: 20, maxDelayMs: 500, probeMs: 1_000 };
const progressEveryMs = 100;

class Member {
  readonly #plan: MemberPlan;
  readonly #provider: LosingProvider;
  readonly #witness: Witness;
  readonly #store: Store<History>;
  readonly #workload: Workload;
  readonly #progress: NodeJS.Timeout;

  static async begin(plan: MemberPlan): Promise<Member> {
    const provider = losingAnswers(providerAt(plan.place));
    const witness = new Witness(plan.life, new Journal(plan.journal), (message) => report({ type: 'wrong', message }));
    const store = await openAtLast(provider);
    witness.watch(store);
    report({ type: 'open' });
    return new Member(plan, provider, witness, store);
  }

  private constructor(plan: MemberPlan, provider: LosingProvider, witness: Witness, store: Store<History>) {
    this.#plan = plan;
    this.#provider = provider;
    this.#witness = witness;
    this.#store = store;
    this.#workload = new Workload(store, witness, plan);
    this.#progress = setInterval(() => this.#tellProgress(), progressEveryMs);
  }

  async obey(order: Exclude<Order, { type: 'begin' }>): Promise<void> {
    switch (order.type) {
      case 'work':
        if (this.#plan.isWriter) this.#workload.work(order.probe);
        break;
      case 'probe':
        await this.#workload.probe(order.probe, order.times, order.everyMs, order.isSaved);
        report({ type: 'probed' });
        break;
      case 'lose answer':
        this.#provider.loseNext();
        break;
      case 'rest':
        await this.#workload.rest();
        report({ type: 'rested' });
        break;
      case 'compare':
        report({ type: 'memory', digest: digestOf(this.#store) });
        break;
      case 'end':
        clearInterval(this.#progress);
        this.#tellProgress();
        this.#witness.end(this.#store);
        await this.#store.close();
        process.off('disconnect', orphaned);
        process.disconnect();
        break;
    }
  }

  #tellProgress(): void {
    report({ type: 'progress', ...this.#witness.takeTally() });
  }
}

/** Storage may be away just now. */
async function openAtLast(provider: LosingProvider): Promise<Store<History>> {
  for (;;) {
    try {
      return await persistify(provider).withBatch({ size: 500, intervalMs }).withRetry(retry).open<History>(storeName);
    } catch (error) {
      if (!(error instanceof PersistifyError) || error instanceof CorruptDataError) throw error;
      await delay(100);
    }
  }
}

function report(message: Report): void {
  // The parent may have gone, of which `disconnect` tells.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

function orphaned(): never {
  process.exit(2);
}

function fail(error: unknown): never {
  console.error(error);
  process.exit(1);
}

process.on('disconnect', orphaned);
let member: Promise<Member> | undefined;
process.on('message', (message) => {
  const order = message as Order; // sent by our own parent
  if (order.type === 'begin') {
    member = Member.begin(order.plan);
    member.catch(fail);
  } else member?.then((begun) => begun.obey(order)).catch(fail);
});
