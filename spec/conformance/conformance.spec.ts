import { providerConformance } from 'rx-persistify/conformance';
import { describe, it } from 'vitest';

import { cache, database, file, storageOf, strict, type Model } from './models.ts';

const models: Readonly<Record<string, Model>> = { 'memory': database, 'memory with one owner': file, 'memory that forgets': cache, 'memory that refuses': strict };

for (const [name, model] of Object.entries(models)) {
  providerConformance({ ...model, name, runner: { describe, it }, createStorage: storageOf(model) });
}
