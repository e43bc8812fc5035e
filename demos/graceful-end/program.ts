// The program that graceful-end.ts starts and stops: takes orders, as many as it is told, and saves them in large batches.
import { persistify, StoreClosedError } from 'rx-persistify';
import { flushOnExit } from 'rx-persistify/node';
import { sqlite } from 'rx-persistify/sqlite';

const [, , file = '', wanted = '0'] = process.argv;
const orders = await persistify(sqlite({ file })).withBatch({ size: 2_000, intervalMs: 60_000 }).open<Record<string, number>>('orders');
flushOnExit(orders); // this is all

console.log(`found ${orders.size}`);
orders.changes$.subscribe({ complete: () => console.log(`applied ${orders.size}`) });
takeOrders();

function takeOrders(): void {
  try {
    for (let count = 0; count < 25 && orders.size < Number(wanted); count++) {
      orders.set(`order ${orders.size}`, orders.size);
      if (orders.size % 500 === 0) console.log(`taken ${orders.size}`);
    }
  } catch (error) {
    if (error instanceof StoreClosedError) return; // the end has come: an order that comes now is refused
    throw error;
  }
  if (orders.size < Number(wanted)) setTimeout(takeOrders, 5);
}
