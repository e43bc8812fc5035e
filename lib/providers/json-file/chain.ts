import type { CorruptDataError } from '../../errors.ts';
import { damaged } from './damage.ts';
import type { StoreFiles } from './file-names.ts';
import type { JsonFile } from './json-file.ts';
import type { BaseIdentity, LogHeader } from './log-format.ts';

/** The logs that make up the dictionary together with the `.json` file that is there. */
export interface Chain {
  /** In their order; the last one's end is stated by nobody. */
  readonly logs: readonly { readonly generation: number; readonly end: number | undefined }[];
  /** Whether somebody edited the `.json` file since these logs were begun. */
  readonly edited: boolean;
  /**
   * The version from which the logs start, at least. A fold's logs start where it ended; but of a file that was put in its place
   * while it was open, the count says nothing of the logs that stand on it.
   */
  readonly leastSeq: number;
}

/**
 * Decides what belongs together. The header of the last log counts, as it names all logs before it and the `.json` file beneath
 * them. Whatever that does not explain is refused: never is a log left out that may hold something acknowledged.
 * @param found the generations of the logs that are there, ascending.
 */
export function chainOf(json: JsonFile | undefined, last: LogHeader, found: readonly number[], files: StoreFiles): Chain {
  const all = [...last.logs, { generation: last.generation, end: undefined }];
  const refuse = (what: string): CorruptDataError => damaged('json', files.json, 0, what);
  const checked = (chain: Chain, from: number): Chain => {
    const unknown = found.find(generation => generation >= from && !chain.logs.some(log => log.generation === generation));
    if (unknown === undefined) return chain;
    throw damaged('log', files.log(unknown), 0, 'no other log names it as one that it stands on');
  };
  if (json === undefined) {
    if (last.base === null) return checked({ logs: all, edited: false, leastSeq: 0 }, 0);
    throw refuse('it is missing, but logs stand on it');
  }
  if (isSame(json, last.base)) return checked({ logs: all, edited: false, leastSeq: 0 }, lowest(all));
  const base = last.base?.generation ?? 0;
  const { generation } = json.identity;
  const above = { logs: all.filter(log => log.generation >= generation), edited: !json.genuine, leastSeq: json.header?.seq ?? 0 };
  if (json.genuine) {
    // A fold was finished, but the logs that went into it were not unlinked yet.
    if (generation > base && generation <= last.generation + 1) return checked(above, generation);
    throw refuse(`it is of generation ${generation}, but its logs stand on generation ${base}; it is older than they are, or of elsewhere`);
  }
  if (json.header === undefined) {
    throw refuse(`it is a plain object without our header, but logs stand on the file that was here before. If it is to be taken as it is, move away the logs ${files.json}.*.log`);
  }
  if (generation === base && last.base?.stated === json.identity.stated) return checked({ logs: all, edited: true, leastSeq: 0 }, lowest(all));
  // It was edited after a fold of which the logs do not know; that fold unlinked those that it replaced, else we cannot be sure.
  const folded = generation > base && generation <= last.generation && (found[0] ?? 0) >= generation;
  if (folded) return checked(above, generation);
  throw refuse('it was edited, and its header does not tell that its logs belong to it');
}

function isSame(json: JsonFile, base: BaseIdentity | null): boolean {
  return base !== null && json.identity.crc === base.crc && json.identity.size === base.size;
}

function lowest(logs: readonly { readonly generation: number }[]): number {
  return Math.min(...logs.map(({ generation }) => generation));
}
