import { inspect } from 'node:util';

import { persistify } from 'rx-persistify';
import { postgres, type PostgresOptions } from 'rx-persistify/postgres';
import { describe, expect, it, vi } from 'vitest';

import { TestServer } from './server.ts';

const database = new TestServer();

/** A password that is found in a text in whatever way it is written. */
const password = 'pass/word&%41 äx';
const ways = [password, encodeURIComponent(password), encodeURI(password), 'pass/word', 'word&', 'pass%2F'];

/** All that can be found in what was thrown, with its causes and what is hidden in it. */
function everythingOf(error: unknown): string {
  return `${inspect(error, { depth: Infinity, showHidden: true, maxStringLength: Infinity, maxArrayLength: Infinity })} ${JSON.stringify(error)} ${String(error)}`;
}

function expectNoSecret(error: unknown): void {
  const text = everythingOf(error);
  for (const secret of ways) expect(text.includes(secret), `${secret} in ${text.slice(0, 2_000)}`).toBe(false);
}

async function failureOf(options: PostgresOptions): Promise<unknown> {
  try {
    const store = await persistify(postgres({ connectTimeoutMs: 300, ...options })).open('prefs');
    await store.close();
  } catch (error) {
    return error;
  }
  throw new Error('it was expected to fail');
}

const port = () => database.server.port;

describe('a password', () => {
  it('stands in no error of options', () => {
    const given: unknown[] = [
      password, `postgres://u:${encodeURIComponent(password)}@h/db`, { connection: password }, { connection: `postgres://u:${password}@h/db` }, { connection: { password: [password] } },
      { connection: { passwrd: password } }, { connection: { host: `postgres://u:${password}@h` , port: 0 } }, { pool: password }, { listen: `u:${password}@h` }, { connectionString: password },
      { connection: `postgres://u:12/${password}@h/db` }, { connection: `postgres://u:${encodeURIComponent(password)}%FF@h/db` },
    ];
    for (const options of given) {
      let thrown: unknown;
      try {
        postgres(options as PostgresOptions);
      } catch (error) {
        thrown = error;
      }
      expect(thrown, inspect(options)).toMatchObject({ code: 'OPTIONS' });
      expectNoSecret(thrown);
    }
  });

  it.each<[string, () => PostgresOptions, string]>([
    ['a wrong password', () => ({ connection: `postgres://postgres:${encodeURIComponent(password)}@127.0.0.1:${port()}/postgres` }), '28P01'],
    ['a wrong password of an object', () => ({ connection: { host: '127.0.0.1', port: port(), user: 'postgres', password, database: 'postgres' } }), '28P01'],
    ['a wrong password from a function', () => ({ connection: { host: '127.0.0.1', port: port(), user: 'postgres', password: () => password } }), '28P01'],
    ['a database that is not there', () => ({ connection: `postgres://u:${encodeURIComponent(password)}@127.0.0.1:${port()}/nowhere` }), 'failed'],
    ['a refused connection', () => ({ connection: `postgres://u:${encodeURIComponent(password)}@127.0.0.1:1/db` }), 'ECONNREFUSED'],
    ['a host that is not known', () => ({ connection: `postgres://u:${encodeURIComponent(password)}@nowhere.invalid/db` }), 'nowhere.invalid'],
    ['a certificate that is not there', () => ({ connection: `postgres://u:${encodeURIComponent(password)}@127.0.0.1:${port()}/db?sslmode=verify-full&sslrootcert=/nowhere.pem` }), 'nowhere.pem'],
    ['a server without TLS', () => ({ connection: `postgres://u:${encodeURIComponent(password)}@127.0.0.1:${port()}/db?sslmode=verify-full` }), 'SSL'],
    ['a listening connection that is refused', () => ({ connection: database.url, listen: `postgres://u:${encodeURIComponent(password)}@127.0.0.1:1/db` }), ''],
  ])('stands nowhere in what is told of %s', async (_, options, said) => {
    const told: unknown[] = [];
    const warned = vi.spyOn(console, 'error').mockImplementation((...of) => void told.push(...of));
    if (said === '') {
      const store = await persistify(postgres(options())).open('prefs');
      store.errors$.subscribe((event) => told.push(event));
      await expect.poll(() => told.length).toBeGreaterThan(0);
      await store.close();
    } else {
      const error = await failureOf(options());
      expect(error).toMatchObject({ code: 'LOAD_FAILED', message: expect.stringContaining(said) as string });
      told.push(error);
    }
    for (const one of told) expectNoSecret(one);
    warned.mockRestore();
  });

  it('stands nowhere in a provider that is looked at', () => {
    const provider = postgres({ connection: `postgres://u:${encodeURIComponent(password)}@127.0.0.1:1/db` });
    expectNoSecret(provider);
    expectNoSecret(persistify(provider));
  });
});
