// kernel suite: kernels newest, memory 2G, timeout 900
/**
 * What only IPsec has, on a real kernel's ESP: three nodes, a charon each. What it has in common with WireGuard is in `drivers.test.ts`. The
 * tests go on from each other, in this order.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { ALL, DriverMesh, type More } from './drivers/mesh.ts';

describe('IPsec, three nodes', function () {
  this.timeout(120_000);
  let mesh: DriverMesh;
  const at = (number: number) => mesh.at(number);
  const refusals = () => ALL.map((self) => at(self).refusals());
  const NONE = [{}, {}, {}];

  before(async () => {
    mesh = new DriverMesh('ipsec');
    await mesh.setAll({ routed: [] });
    await mesh.allEstablished();
  });
  after(() => mesh?.close());

  it('one end initiates: the one whose name is lower', () => {
    assert.doesNotMatch(at(3).log(), /initiating IKE_SA sheath-/);
    assert.match(at(1).log(), /initiating IKE_SA sheath-7-a-n2/);
    assert.match(at(1).log(), /initiating IKE_SA sheath-7-a-n3/);
  });

  it('carries both families, in ESP with extended sequence numbers, and marked', async () => {
    await mesh.setAll();
    assert.equal(await mesh.lost(2), 0);
    assert.deepEqual(refusals(), NONE);
    const states = at(1).on('ip xfrm state');
    assert.equal(states.match(/aead rfc4106\(gcm\(aes\)\)/g)?.length, 4);
    assert.equal(states.match(/flag .*esn/g)?.length, 4);
    assert.equal(states.match(/output-mark 0x1000\/0x1000/g)?.length, 2);
  });

  it('the largest packet that fits the device fits the wire', () => {
    assert.match(at(1).on('ip link show sheath1'), /mtu 1418/);
    const ping = (size: number, from: string, to: string) =>
      at(1).on(`ping -c 2 -i 0.1 -W 1 -M do -s ${size} -I ${from} ${to}`);
    ping(1390, '10.244.1.1', '10.244.2.1');
    ping(1370, 'fd00:10:244:1::1', 'fd00:10:244:2::1');
    const [names = '', counts = ''] = at(1).on('grep ^Ip: /proc/net/snmp').split('\n');
    assert.equal(counts.split(' ')[names.split(' ').indexOf('FragCreates')], '0');
    assert.throws(() => ping(1391, '10.244.1.1', '10.244.2.1'));
  });

  it('prefixes come and go without a word to the peer', async () => {
    const before = at(1).log().length;
    const lost = await mesh.lost(4, async () => {
      await mesh.setAll({ more: { 2: ['10.245.2.0/24'], 3: ['fd00:10:245:3::/64'] } });
      await mesh.setAll();
    });
    assert.equal(lost, 0);
    assert.deepEqual(refusals(), NONE);
    assert.doesNotMatch(at(1).log().slice(before), /CREATE_CHILD_SA|initiating/);
  });

  it('a charon that is killed is started again, while the kernel carries on', async () => {
    const before = at(2).charonPid();
    const lost = await mesh.lost(20, async () => {
      process.kill(before, 'SIGKILL');
      await sleep(2000);
      await at(2).observe();
      await mesh.set(2);
      assert.notEqual(at(2).charonPid(), before);
    });
    assert.equal(lost, 0, JSON.stringify(refusals()));
    assert.deepEqual(refusals(), NONE);
    await mesh.allEstablished();
  });

  /** The steps of a rotation: beside each other, routes over, the old one gone. */
  async function rotate(from: number, to: number, wireguard: readonly number[]): Promise<number> {
    const set = (more: More) => mesh.setAll({ wireguard, ...more });
    return mesh.lost(15, async () => {
      await set({ generations: [from, to], routesOn: from });
      await mesh.allEstablished(to);
      await set({ generations: [from, to], routesOn: to });
      await sleep(1000);
      await set({ generations: [to] });
    });
  }

  it('to WireGuard and back, without a lost packet', async () => {
    assert.equal(await rotate(7, 8, [8]), 0, JSON.stringify(refusals()));
    assert.doesNotMatch(at(1).on('ip xfrm state; ip xfrm policy'), /if_id/);
    assert.equal(at(1).charonPid(), 0, 'a charon that nobody needs is ended');
    assert.equal(await rotate(8, 9, [8]), 0, JSON.stringify(refusals()));
    assert.ok(at(1).charonPid() > 0);
  });
});
