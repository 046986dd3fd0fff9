/** What every tunnel driver does, whatever its tunnels are made of. The tests go on from each other, in this order. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../ipsec/machines.ts';
import { FOREIGN, HANDS } from './hands.ts';
import { ALL, type Driver, DriverMesh, snapshot } from './mesh.ts';

export function describeDriver(driver: Driver): void {
  describe(`the driver ${driver}`, function () {
    this.timeout(180_000);
    let mesh: DriverMesh;
    let earlier: string[];
    const there = () => ALL.map((self) => snapshot(mesh.at(self)));

    before(() => {
      mesh = new DriverMesh(driver);
      for (const self of ALL) mesh.at(self).on(FOREIGN);
      earlier = there();
    });
    after(() => mesh?.close());

    it('says what it would do, and does nothing by that', async () => {
      for (const self of ALL) {
        const changes = await mesh.at(self).preview(mesh.shape(self));
        assert.ok(changes.some(({ part, what }) => part === 'peer' && what.includes('on sheath1')));
      }
      assert.deepEqual(there(), earlier);
    });

    it('makes it so, and a second time nothing', async () => {
      await mesh.setAll({ routed: [] });
      for (const self of ALL) {
        for (const { endpoint } of await mesh.established(self))
          assert.match(endpoint?.address ?? '', /^192\.0\.2\.\d$/);
        assert.deepEqual((await mesh.set(self, { routed: [] })).changes, []);
        assert.deepEqual(await mesh.at(self).preview(mesh.shape(self, { routed: [] })), []);
      }
    });

    it('carries both families, and counts what it carries', async () => {
      await mesh.setAll();
      assert.equal(await mesh.lost(2), 0);
      for (const { receivedBytes, sentBytes } of await mesh.at(1).observe())
        assert.ok(receivedBytes > 1000 && sentBytes > 1000, `${receivedBytes} ${sentBytes}`);
    });

    it('prefixes of a peer come and go', async () => {
      const more = { 2: ['10.245.2.0/24'], 3: ['fd00:10:245:3::/64'] };
      const ping = 'ping -c 2 -i 0.1 -W 1 -I 10.244.1.1 10.245.2.1';
      const lost = await mesh.lost(4, async () => {
        await mesh.setAll({ more });
        mesh.at(2).on('ip addr add 10.245.2.1/32 dev lo');
        mesh.at(1).on(`ip route add 10.245.2.0/24 dev sheath1; ${ping}`);
        await mesh.setAll();
      });
      assert.equal(lost, 0);
      assert.throws(() => mesh.at(1).on(ping));
      mesh.at(1).on('ip route del 10.245.2.0/24 dev sheath1');
      mesh.at(2).on('ip addr del 10.245.2.1/32 dev lo');
    });

    it('a peer sends from its prefixes, and from no others', async () => {
      const from = (source: string) => `ping -c 2 -i 0.1 -W 1 -I ${source} 10.244.2.1`;
      // An honest node gives what is not its own another source.
      mesh.at(1).on('nft flush ruleset; ip addr add 10.244.3.77/32 dev lo');
      assert.throws(() => mesh.at(1).on(from('10.244.3.77')));
      mesh.at(1).on(`${from('10.244.1.1')}; ip addr del 10.244.3.77/32 dev lo`);
      await mesh.wellAgain();
    });

    it('a peer goes, and comes again; the others lose nothing', async () => {
      const alone = () => mesh.lost(1);
      await mesh.set(1, { peers: [2] });
      assert.equal((await mesh.at(1).observe()).length, 1);
      assert.ok((await alone()) > 0);
      await mesh.wellAgain();
      await mesh.allEstablished();
    });

    it('a peer is reached at another address', async () => {
      mesh.at(2).on('ip addr add 192.0.2.22/24 dev under0');
      const lost = await mesh.lost(15, async () => {
        for (const self of [1, 3]) await mesh.set(self, { reachedAt: { 2: '192.0.2.22' } });
        const plan = { ownAddresses: ['192.0.2.22'] } as never;
        await mesh.set(2, driver === 'ipsec' ? { plan } : {});
        await eventually(async () => {
          const seen = await mesh.at(1).observe();
          assert.ok(seen.some(({ endpoint }) => endpoint?.address === '192.0.2.22'));
        });
      });
      assert.equal(lost, 0);
      await mesh.wellAgain();
      mesh.at(2).on('ip addr del 192.0.2.22/24 dev under0');
    });

    it('what is wrong with one peer is said of it, and no matter to the others', async () => {
      const report = await mesh.at(1).set(mesh.shape(1, { more: { 3: ['10.99.0.0/33'] } }));
      assert.deepEqual(
        report.errors.map(({ node }) => node),
        report.errors.map(() => 'n3'),
      );
      assert.ok(report.errors.length > 0);
      const seen = await mesh.at(1).observe();
      assert.ok(seen.some(({ lastHandshake }) => lastHandshake !== undefined));
      await mesh.wellAgain();
    });

    for (const { what, script, told } of HANDS[driver]) {
      it(`what another hand took is back: ${what}`, async () => {
        await mesh.wellAgain();
        mesh.at(1).on(script(mesh));
        if (told) {
          await eventually(async () => {
            await mesh.at(1).observe();
            const { changes } = await mesh.set(1);
            assert.ok(changes.some(({ repaired }) => repaired));
          });
        }
        await mesh.wellAgain();
        assert.deepEqual((await mesh.set(1)).changes, []);
      });
    }

    it('counters only grow', async () => {
      const sums: number[] = [];
      await mesh.lost(6, async () => {
        for (let i = 0; i < 10; i++) {
          const seen = await mesh.at(1).observe();
          sums.push(seen.reduce((sum, { receivedBytes, sentBytes }) => sum + receivedBytes + sentBytes, 0));
          await sleep(300);
        }
      });
      assert.deepEqual(
        sums,
        sums.toSorted((a, b) => a - b),
      );
    });

    it('an agent that is killed finds all as it was, and writes nothing', async () => {
      const lost = await mesh.lost(5, async () => {
        await mesh.at(2).kill();
        mesh.at(2).start();
        await mesh.established(2);
        assert.deepEqual((await mesh.set(2)).changes, []);
      });
      assert.equal(lost, 0);
    });

    it('another key is another generation, beside the old one, and no packet is lost', async () => {
      const both = { generations: [7, 8] };
      const lost = await mesh.lost(15, async () => {
        await mesh.setAll({ ...both, routesOn: 7 });
        await mesh.allEstablished(8);
        await mesh.setAll({ ...both, routesOn: 8 });
        await sleep(1000);
        await mesh.setAll({ generations: [8] });
      });
      assert.equal(lost, 0);
    });

    it('is gone without a trace', async () => {
      for (const self of ALL) await mesh.takeBack(self);
      assert.deepEqual(there(), earlier);
      for (const self of ALL) assert.equal(mesh.at(self).charonPid(), 0);
    });

    it('and so is what was left when its device went while nobody looked', async () => {
      await mesh.setAll();
      await mesh.allEstablished();
      for (const self of ALL) await mesh.at(self).kill();
      for (const self of ALL) mesh.at(self).on('ip link del sheath1');
      for (const self of ALL) mesh.at(self).start();
      for (const self of ALL) await mesh.takeBack(self);
      assert.deepEqual(there(), earlier);
      for (const self of ALL) assert.equal(mesh.at(self).charonPid(), 0);
    });
  });
}
