import { databasePeers } from './databases.ts';
import { filePeers } from './files.ts';
import { ownPeers } from './own.ts';
import type { Peer } from './peer.ts';

/** This library, and what a user would pick instead. */
export const peers: readonly Peer[] = [...ownPeers, ...databasePeers, ...filePeers];
