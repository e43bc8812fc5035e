/** What the page is told of saving beyond the status of a store, in a dictionary of its own: {@link savingStore}. */
export interface SavingFacts {
  /** Where it is kept, for people. */
  readonly place: string;
  readonly batches: number;
  /** Mutations saved in all. */
  readonly saved: number;
  readonly savedPerSecond: number;
  /** The last error, until the store that had it saves again; absent without one. */
  readonly error: string;
}

export const savingStore = 'saving';
