import { ProviderError } from '../../errors.ts';
import type { Batch, BatchResult } from '../../mutation.ts';
import { leftOutFrom } from '../left-out-text.ts';
import { CommitInSteps, messageRows, messageText, type StepsConfig, type StepsOutcome } from './commit-in-steps.ts';
import { answerFrom, type CommitFunction } from './commit-function.ts';
import type { Connections } from './connections.ts';
import { isRefusal } from './failures.ts';
import { packCall } from './packed-call.ts';
import { textOf } from './rows.ts';

export interface CommitterConfig extends StepsConfig {
  readonly connections: Connections;
  readonly commitFunction: CommitFunction;
  /** Whether statements are prepared by name. */
  readonly isPrepared: boolean;
}

/** Commits batches to one dictionary. */
export class Committer {
  readonly #config: CommitterConfig;

  constructor(config: CommitterConfig) {
    this.#config = config;
  }

  /**
   * Stores the batch in one commit, in one message where that can be.
   * @returns what became of it, and the number that its writer had settled before.
   */
  async commit(batch: Batch, signal: AbortSignal): Promise<{ readonly result: BatchResult; readonly previous: number | undefined }> {
    const outcome = (fitsMessage(batch) ? await this.#atOnce(batch, signal) : undefined) ?? (await this.#inSteps(batch, signal));
    if (outcome.status === 'gone') throw this.#gone();
    return outcome;
  }

  /** Undefined: nothing was done, as it takes several steps. */
  async #atOnce(batch: Batch, signal: AbortSignal): Promise<StepsOutcome | undefined> {
    const { connections, commitFunction, isPrepared, isFull } = this.#config;
    const statement = {
      ...(isPrepared && { name: commitFunction.name }),
      text: commitFunction.call,
      values: packCall(batch, isFull),
      rowMode: 'array',
    } as const;
    try {
      const { rows } = await connections.use((client) => client.query(statement), { doing: this.#doing, signal, stores: true });
      return outcomeOf(textOf(rows[0]?.[0]));
    } catch (error) {
      if (error instanceof ProviderError && isRefusal(error.cause)) return undefined;
      throw error;
    }
  }

  async #inSteps(batch: Batch, signal: AbortSignal): Promise<StepsOutcome> {
    let steps: CommitInSteps | undefined;
    try {
      return await this.#config.connections.use(
        async (client) => {
          steps = new CommitInSteps(client, this.#config, batch);
          return steps.run();
        },
        { doing: this.#doing, signal, stores: true, transaction: true },
      );
    } catch (error) {
      if (!(error instanceof ProviderError) || steps?.isCommitting === true || !error.outcomeUnknown) throw error;
      throw new ProviderError(error.message, { kind: error.kind, cause: error.cause });
    }
  }

  get #doing(): string {
    return `Saving ${JSON.stringify(this.#config.dictionary.name)}`;
  }

  #gone(): ProviderError {
    const { connections, dictionary } = this.#config;
    const message = `The dictionary ${JSON.stringify(dictionary.name)} was removed, moved or migrated in ${connections.place} while it was open. Close the store and open it again.`;
    return new ProviderError(message, { kind: 'halt' });
  }
}

function fitsMessage({ mutations }: Batch): boolean {
  if (mutations.length > messageRows) return false;
  let text = 0;
  for (const mutation of mutations) if (mutation.type === 'set') text += mutation.json.length;
  return text <= messageText;
}

function outcomeOf(answer: string): StepsOutcome | undefined {
  const { status, version, previous, result } = answerFrom(answer);
  switch (status) {
    case 'committed':
    case 'settled':
      return { status, result: { version, leftOut: leftOutFrom(result) }, previous };
    case 'unfit':
      return undefined;
    default:
      return { status: 'gone' };
  }
}
