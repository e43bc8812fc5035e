import { statSync } from 'node:fs';
import { type FileHandle, readdir, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { ProviderError, StoreLockedError } from '../../errors.ts';
import { createFile, ignore, linkNew, randomId, remove, renameOver, writeAll } from './durable-file.ts';
import { codeOf, failureOf, isMissing } from './failure.ts';
import type { StoreFiles } from './file-names.ts';
import { giveUp, judge, type Owner, ownerFrom, ownerText, thisProcess } from './owner.ts';

/*
 * One owner at a time.
 *
 * A lock is written to a file of its own and then linked to its name, so it is never seen half-written, and of several
 * openers of a free store one wins: link(2) fails if the name exists.
 *
 * A dead owner's lock must not simply be unlinked: between reading and unlinking, another opener may have done the same and
 * have put his own, living, lock there. Instead, whoever wants to succeed the owner X makes the file `claim(X)`, again with
 * link(2): one succeeds. Ids are random and never come back, so a claim means this one holding and no later one. The claimant
 * then looks whether X's lock is still in place. If so, nobody has replaced it, and nobody but him ever will, as that takes
 * the claim: he renames his lock over it, and removes the claim. If not, he came late, his claim means nothing, and he starts over.
 *
 * A claimant may die too. Then his successor claims from him: the heir of the lock's owner is found by following the claims to
 * their end. A living claimant is about to become the owner, and is waited for, not displaced.
 *
 * The owner gives the lock back by the same rule: he claims his own lock, so that nobody is succeeding him, and unlinks it. His
 * claim is a link to the lock itself, as that works on a full disk too. Should he die before the unlink, the claim stands for
 * a holder of his second id, from whom the next one claims.
 *
 * An owner or claimant whose files cannot be taken away, as the directory may no longer be written to, counts as dead in this process
 * though that lives on. Other processes see its pid, and wait for its end.
 *
 * `check` tells whether the lock's name still stands for the very file that we made.
 */

const waitForClaimantMs = 2_000;

export interface LockOptions {
  readonly storeName: string;
  readonly fileMode: number;
  readonly takeOver: boolean;
}

/** A store's lock, ours until another owner takes it over. */
export class Lock {
  readonly #files: StoreFiles;
  readonly #owner: Owner;
  readonly #identity: FileIdentity;
  /** Whether the owner before us may still be alive. */
  readonly tookOver: boolean;
  /** Kept open, so that the file's inode is not given to another lock while we compare with it. */
  readonly #file: FileHandle | undefined;

  constructor(files: StoreFiles, owner: Owner, file: FileHandle | undefined, tookOver: boolean) {
    this.tookOver = tookOver;
    this.#files = files;
    this.#owner = owner;
    this.#file = file;
    this.#identity = identityOf(files.lock);
  }

  /** Names the one who holds it, and this one holding. */
  get id(): string {
    return this.#owner.id;
  }

  /** @throws ProviderError if the lock is no longer ours, so that nothing may be acknowledged or replaced any more. */
  check(): void {
    let found: FileIdentity;
    try {
      found = identityOf(this.#files.lock);
    } catch (error) {
      if (!isMissing(error)) throw failureOf(error, `look at the lock ${this.#files.lock}`);
      throw new ProviderError(
        `json-file: the lock ${this.#files.lock} was removed while this process (${process.pid}) had the store open, so another one may have written; open the store again`,
        { kind: 'halt', cause: error },
      );
    }
    if (found.device === this.#identity.device && found.inode === this.#identity.inode) return;
    throw new ProviderError(
      `json-file: the store was taken over by another owner (see ${this.#files.lock}); this process (${process.pid}) can no longer write to it`,
      { kind: 'halt' },
    );
  }

  /**
   * Gives the store back, unless it was taken over. Opens nothing, as that may be what fails.
   * @throws PersistifyError if the lock's file has to stay; this process may open the store all the same.
   */
  async release(): Promise<void> {
    let isGivenBack = false;
    try {
      isGivenBack = await this.#giveBack();
    } catch (error) {
      throw failureOf(error, `give back the lock ${this.#files.lock}`);
    } finally {
      if (!isGivenBack) giveUp(this.#owner);
      await this.#file?.close().catch(ignore);
    }
  }

  /** @returns false if somebody else is succeeding us, or has. */
  async #giveBack(): Promise<boolean> {
    const claim = this.#files.claim(this.#owner.id);
    if (!(await this.#claimOwn(claim))) return false;
    try {
      if (this.#isOurs()) await remove(this.#files.lock);
    } finally {
      await remove(claim);
    }
    return true;
  }

  #isOurs(): boolean {
    try {
      this.check();
      return true;
    } catch {
      return false;
    }
  }

  /** @returns false if somebody else is succeeding us, or has. */
  async #claimOwn(claim: string): Promise<boolean> {
    try {
      return await linkNew(this.#files.lock, claim);
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }
}

/** @throws StoreLockedError if another owner has the store. */
export async function acquireLock(files: StoreFiles, options: LockOptions): Promise<Lock> {
  const owner = thisProcess(randomId(), randomId());
  const giveUpAt = performance.now() + waitForClaimantMs;
  for (;;) {
    const file = await writeExclusively(files, files.lock, owner, options);
    if (file !== undefined) return holdLock(files, owner, file, false);
    const line = await succession(files);
    if (line === undefined) continue;
    const { root, heir, living } = line;
    if (root.id !== heir.id && judge(heir) !== 'dead') {
      if (performance.now() > giveUpAt) throw lockedBy(heir, files);
      await delay(5);
    } else {
      const tookOver = living !== undefined;
      if (tookOver && !options.takeOver) throw lockedBy(living, files);
      const file = await succeed(heir, tookOver ? { ...owner, tookOver } : owner, files, options);
      if (file !== undefined) return holdLock(files, owner, file, tookOver);
    }
  }
}

/** Puts `owner`'s lock, which is given open, in the place of the one whose heir is `heir`; undefined if somebody else did. */
async function succeed(heir: Owner, owner: Owner, files: StoreFiles, options: LockOptions): Promise<FileHandle | undefined> {
  const claim = files.claim(heir.id);
  const claiming = await writeExclusively(files, claim, owner, options);
  if (claiming === undefined) return undefined;
  try {
    await claiming.close();
    if ((await succession(files))?.heir.id === owner.id) return await replaceLock(owner, files, options);
    await remove(claim);
    return undefined;
  } catch (error) {
    // A claim that a living process leaves behind would keep everyone out.
    await remove(claim).catch(ignore);
    giveUp(owner);
    throw error;
  }
}

async function replaceLock(owner: Owner, files: StoreFiles, options: LockOptions): Promise<FileHandle> {
  for (;;) {
    const temporary = files.temporary(randomId());
    const file = await writeNew(temporary, owner, options);
    try {
      await renameOver(temporary, files.lock);
      return file;
    } catch (error) {
      await file.close().catch(ignore);
      if (!isMissing(error)) {
        await remove(temporary).catch(ignore);
        throw error;
      }
    }
  }
}

/** @param file the lock as it was made: to open it by its name could fail, and leave a lock that nobody holds and nobody may take. */
async function holdLock(files: StoreFiles, owner: Owner, file: FileHandle, tookOver: boolean): Promise<Lock> {
  // Windows would refuse to another owner to rename his lock over one that is open; its file ids are not used again soon.
  const isKept = process.platform !== 'win32';
  if (!isKept) await file.close();
  const lock = new Lock(files, owner, isKept ? file : undefined, tookOver);
  try {
    await sweep(files, owner);
    return lock;
  } catch (error) {
    await lock.release().catch(ignore);
    throw error;
  }
}

/**
 * Removes what dead and displaced owners left half-made. A displaced one that still lives and is about to rename a temporary
 * file into place fails by this; had he made it later, his lock check, which comes between, would have failed.
 */
async function sweep(files: StoreFiles, owner: Owner): Promise<void> {
  const line = new Set((await heirsOf(owner, files)).map(heir => heir.id));
  for (const name of await readdir(files.directory)) {
    const claimed = files.claimedId(name);
    if (claimed !== undefined && !line.has(claimed)) await remove(files.claim(claimed));
    if (files.isTemporary(name)) await remove(join(files.directory, name));
  }
}

interface Succession {
  /** Whose lock it is. */
  readonly root: Owner;
  /** Who is entitled to replace it: the last of those who claimed, each from the one before; without claims the root. */
  readonly heir: Owner;
  /** The last one of them who may still live: behind a claimant who died before he replaced the lock, it may be its owner. */
  readonly living: Owner | undefined;
}

/** @returns undefined if there is no lock any more. */
async function succession(files: StoreFiles): Promise<Succession | undefined> {
  const root = await readOwner(files.lock);
  if (root === undefined) return undefined;
  const heirs = await heirsOf(root, files);
  return { root, heir: heirs.at(-1) ?? root, living: heirs.findLast(owner => judge(owner) !== 'dead') };
}

/** `owner`, who claimed from him, who claimed from that one, and so on. */
async function heirsOf(owner: Owner, files: StoreFiles): Promise<readonly Owner[]> {
  const heirs: Owner[] = [];
  for (let next: Owner | undefined = owner; next !== undefined; next = await claimantFrom(next, files)) heirs.push(next);
  return heirs;
}

async function claimantFrom(owner: Owner, files: StoreFiles): Promise<Owner | undefined> {
  const claimant = await readOwner(files.claim(owner.id));
  return claimant?.id === owner.id ? { ...claimant, id: claimant.releaseId } : claimant;
}

async function readOwner(path: string): Promise<Owner | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  const owner = ownerFrom(text);
  if (owner !== undefined) return owner;
  throw new StoreLockedError(`${path} is no lock that can be read, so its owner counts as alive; remove the file if no process has the store open`);
}

function lockedBy(owner: Owner, files: StoreFiles): StoreLockedError {
  const where = owner.hostname === hostname() ? '' : ` on host ${owner.hostname}`;
  const who = owner.pid === process.pid && where === '' ? `this very process (pid ${owner.pid})` : `the process with pid ${owner.pid}${where}`;
  const doubt = judge(owner) === 'unknown' ? ', of which this machine or container cannot see whether it lives' : '';
  return new StoreLockedError(
    `${files.json} is open in ${who}${doubt}; its lock is ${files.lock}. Close it there, or open with takeOver: true to displace it`
      + (doubt === '' ? '' : '; if that process is gone, the lock file may be removed'),
  );
}

/** Makes the lock or claim `path`, complete from its first moment. Resolves to it, open; undefined if there is one. */
async function writeExclusively(files: StoreFiles, path: string, owner: Owner, options: LockOptions): Promise<FileHandle | undefined> {
  for (;;) {
    const temporary = files.temporary(randomId());
    const file = await writeNew(temporary, owner, options);
    try {
      if (await linkNew(temporary, path)) return file;
      await file.close();
      return undefined;
    } catch (error) {
      await file.close().catch(ignore);
      // An owner who swept took our temporary file for a dead one's.
      if (codeOf(error) !== 'ENOENT') throw error;
    } finally {
      // What is left is removed by the next owner, while a lock that is there must not be forgotten.
      await remove(temporary).catch(ignore);
    }
  }
}

async function writeNew(path: string, owner: Owner, options: LockOptions): Promise<FileHandle> {
  const file = await createFile(path, options.fileMode);
  try {
    await writeAll(file, [Buffer.from(ownerText(owner, options.storeName))], 0);
    // After a power cut, an empty lock would count as one that cannot be judged.
    await file.sync();
    return file;
  } catch (error) {
    await file.close().catch(ignore);
    await remove(path).catch(ignore);
    throw error;
  }
}

interface FileIdentity {
  readonly device: bigint;
  readonly inode: bigint;
}

function identityOf(path: string): FileIdentity {
  // A call of 4 us; through the thread pool it would cost ten times as much on each append.
  const { dev, ino } = statSync(path, { bigint: true });
  return { device: dev, inode: ino };
}
