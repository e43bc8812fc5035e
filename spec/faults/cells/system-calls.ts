import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';

import { onTestFinished } from 'vitest';

/** Which system calls of a process fail. */
export interface Failing {
  readonly calls: readonly string[];
  readonly error: string;
  /** As strace has it: `3` the third, `3+` from the third on, `3..5`, `3+4` every fourth; counted by thread and by call. */
  readonly when: string;
}

/** System calls of a process that fail until they are healed. */
export interface Injection {
  /** Lets all succeed again. Resolves to how many have failed. */
  heal(): Promise<number>;
}

/** Makes system calls of processes that run fail, and of those that they start. `log`: a file to write, which is removed in the end. */
export async function failCalls(pids: number | readonly number[], log: string, { calls, error, when }: Failing): Promise<Injection> {
  const all = typeof pids === 'number' ? [pids] : pids;
  const names = calls.join(',');
  const strace = spawn('strace', ['-f', ...all.flatMap((pid) => ['-p', String(pid)]), '-o', log, '-e', 'signal=none', '-e', `trace=${names}`, '-e', `inject=${names}:error=${error}:when=${when}`], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(strace, 'close');
  let stderr = '';
  const attached = new Promise<void>((resolve, reject) => {
    strace.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      if (stderr.split('attached').length > all.length) resolve();
    });
    void ended.then(() => reject(new Error(`strace does not trace: ${stderr}`)));
  });
  let failed: number | undefined;
  const heal = async (): Promise<number> => {
    if (failed !== undefined) return failed;
    strace.kill('SIGINT'); // lets go of the process, which goes on
    await ended;
    const text = await readFile(log, 'utf8');
    await rm(log);
    return (failed = text.split('(INJECTED)').length - 1);
  };
  onTestFinished(async () => {
    if (failed !== undefined) return;
    strace.kill('SIGINT');
    await ended;
  });
  await attached;
  return { heal };
}
