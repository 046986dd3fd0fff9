import { BACKENDS, type Backend } from './backends.ts';
import { Client } from './client.ts';
import { apply } from './suites/apply.ts';
import { lists } from './suites/lists.ts';
import { objects } from './suites/objects.ts';
import { watches } from './suites/watches.ts';

for (const [name, start] of Object.entries(BACKENDS)) {
  describe(name, () => {
    let backend: Backend;
    let client: Client;
    before(async function () {
      this.timeout(180_000);
      backend = await start();
      client = new Client(backend.target);
    });
    after(() => backend?.stop());

    describe('objects', () => objects(() => client));
    describe('lists', () => lists(() => client));
    describe('watches', () => watches(() => client));
    describe('server-side apply', () => apply(() => client));
  });
}
