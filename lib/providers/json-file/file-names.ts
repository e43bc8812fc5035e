import { createHash } from 'node:crypto';
import { join } from 'node:path';

/** File names may have 255 bytes almost everywhere; ours add up to 30 to the stem. */
const longestStem = 200;

/** Printable is what people can see and type: no controls, no lone surrogates, no invisible or unassigned characters. */
const unsafe = /[\p{C}\p{Zl}\p{Zp}%/\\:*?"<>|]/gu;

/** Windows takes these for devices, whatever follows the first dot (learn.microsoft.com, "Naming Files, Paths, and Namespaces"). */
const device = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?=$|\.| )/i;

/**
 * The file-name stem of a store: the name itself where it is ordinary, else with what is unsafe percent-encoded.
 * Distinct names have distinct stems; disks that fold case or normalize can still put two on one file, which the files' headers tell.
 */
export function stemOf(storeName: string): string {
  const stem = storeName
    .replace(unsafe, percentEncoded)
    .replace(/^[. ]|[. ]$/g, percentEncoded)
    .replace(device, reserved => percentEncoded(reserved.charAt(0)) + reserved.slice(1));
  return Buffer.byteLength(stem) <= longestStem ? stem : shortened(stem, storeName);
}

function percentEncoded(character: string): string {
  if (!character.isWellFormed()) return `%u${character.charCodeAt(0).toString(16).toUpperCase()}`;
  return Array.from(Buffer.from(character), byte => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
}

/** `%~` follows no encoding, so a shortened stem equals no other. */
function shortened(stem: string, storeName: string): string {
  const hash = createHash('sha256').update(Buffer.from(storeName, 'utf16le')).digest('hex').slice(0, 40);
  let start = '';
  for (const character of stem) {
    if (Buffer.byteLength(start + character) > longestStem - hash.length - 2) break;
    start += character;
  }
  return `${start.replace(/%[^%]{0,4}$/, '')}%~${hash}`;
}

/** The files of one store, all in one directory. */
export class StoreFiles {
  readonly directory: string;
  /** `<name>.json` */
  readonly json: string;
  readonly lock: string;
  readonly #base: string;

  /** @param base the `.json` file's name without directory. */
  constructor(directory: string, base: string) {
    this.directory = directory;
    this.#base = base;
    this.json = join(directory, base);
    this.lock = `${this.json}.lock`;
  }

  get base(): string {
    return this.#base;
  }

  log(generation: number): string {
    return `${this.json}.${generation}.log`;
  }

  /** What the `.json` file held, where nobody may replace the one in its place. */
  kept(number: number): string {
    return `${this.json}.${number}.kept`;
  }

  /** A file that is being made; whoever becomes owner removes those that he finds. */
  temporary(id: string): string {
    return `${this.json}.${id}.tmp`;
  }

  /** Who may replace the lock of the owner `id`. */
  claim(id: string): string {
    return `${this.json}.${id}.lock`;
  }

  /** The generation of the log of this store that has this file name. */
  generationOf(fileName: string): number | undefined {
    const digits = this.#between(fileName, '.log');
    return digits !== undefined && /^(0|[1-9][0-9]{0,14})$/.test(digits) ? Number(digits) : undefined;
  }

  isTemporary(fileName: string): boolean {
    return isId(this.#between(fileName, '.tmp'));
  }

  /** The id in the name of a claim of this store. */
  claimedId(fileName: string): string | undefined {
    const id = this.#between(fileName, '.lock');
    return isId(id) ? id : undefined;
  }

  #between(fileName: string, end: string): string | undefined {
    const start = `${this.#base}.`;
    if (!fileName.startsWith(start) || !fileName.endsWith(end)) return undefined;
    return fileName.slice(start.length, -end.length);
  }
}

function isId(text: string | undefined): boolean {
  return text !== undefined && /^[0-9a-f]{16}$/.test(text);
}
