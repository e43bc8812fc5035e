export { remote } from './remote.ts';
export type { RemoteOptions, RequestHeaders } from './options.ts';
