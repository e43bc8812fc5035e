export { serveFeed, type FeedServer } from './serve-feed.ts';
export type { FeedOptions, Wanted } from './options.ts';
export type { NodeRequest, NodeResponse } from './node-response.ts';
export type { Served } from './store-feed.ts';
