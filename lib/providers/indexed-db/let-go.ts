/** Keeps a process of Node from being held by it, as where pages are rendered or tested; in a browser there is nothing to do. */
export function letGo(holder: unknown): void {
  if (isHolding(holder)) holder.unref();
}

function isHolding(holder: unknown): holder is { readonly unref: () => unknown } {
  return typeof holder === 'object' && holder !== null && 'unref' in holder && typeof holder.unref === 'function';
}
