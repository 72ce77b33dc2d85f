import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';

/** Where the shop keeps what tells its processes and databases; not known of a shop started otherwise. */
export const RUN_DIR = process.env.SHOP_RUN_DIR;

/** Does something with a service's own database, as the service does. */
export async function withDatabase<Result>(
  service: 'orders' | 'payments',
  work: (database: Client) => Promise<Result>,
): Promise<Result> {
  const file = join(RUN_DIR ?? '', `${service}.database-url`);
  const database = new Client({ connectionString: readFileSync(file, 'utf8').trim() });
  await database.connect();
  try {
    return await work(database);
  } finally {
    await database.end();
  }
}
