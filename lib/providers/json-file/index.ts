export { jsonFile } from './provider.ts';
export type { JsonFileOptions } from './options.ts';
