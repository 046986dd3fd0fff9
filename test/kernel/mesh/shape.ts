/** What the kernel and the API hold once all is encrypted. */
import assert from 'node:assert/strict';
import type { Mesh } from './mesh.ts';

export function shape(mesh: () => Mesh): void {
  it('pods ping each other in IPv4 and IPv6', async () => {
    await mesh().inPod('n1-p1', 'ping -c 2 -W 5 10.244.2.2');
    await mesh().inPod('n1-p1', 'ping -c 2 -W 5 fd00:10:244:3::2');
    await mesh().inPod('n3-p1', 'ping -c 2 -W 5 10.244.1.2');
  });

  it('the kernel shows a device with every other node as peer', () => mesh().view.assertPeers(mesh()));

  it('the rule sends what is unmarked to the table, in both families', async () => {
    for (const family of ['-4', '-6']) {
      const rules = await mesh().on('n1', `ip ${family} rule`);
      assert.match(rules, /^95:\tnot from all fwmark 0x1000\/0x1000 lookup 51830\b/m);
      assert.match(rules, /^94:\tfrom .* lookup 51831\b/m);
    }
  });

  it('the table has a route for each remote prefix, and throws what is its own', async () => {
    const v4 = await mesh().on('n1', 'ip route show table 51830');
    assert.match(v4, /^throw 10\.244\.1\.0\/24\b/m);
    assert.match(v4, /^10\.244\.2\.0\/24 dev sheath1 .*src 192\.0\.2\.11\b/m);
    assert.match(v4, /^10\.244\.3\.0\/24 dev sheath1 .*src 192\.0\.2\.11\b/m);
    const v6 = await mesh().on('n1', 'ip -6 route show table 51830');
    assert.match(v6, /^throw fd00:10:244:1::\/64\b/m);
    assert.match(v6, /^fd00:10:244:2::\/64 dev sheath1 .*src 2001:db8::11\b/m);
    const podTable = await mesh().on('n1', 'ip route show table 51831');
    assert.match(podTable, /^192\.0\.2\.12 dev sheath1\b/m);
  });

  it("the device has an address of its own, and not the node's", async () => {
    const addresses = await mesh().on('n1', 'ip -br address show dev sheath1');
    assert.match(addresses, /\b10\.244\.1\.0\/32\b/);
    assert.match(addresses, /\bfd00:10:244:1::\/128\b/);
    assert.doesNotMatch(addresses, /192\.0\.2\./);
  });

  it('kubectl shows the annotations, and no key but public ones', async () => {
    for (const { name } of mesh().lab.topology.members) {
      const yaml = await mesh().kubectl('get', 'node', name, '-o', 'yaml');
      const privateKeys = await mesh().view.privateKeys(mesh(), name);
      assert.ok(privateKeys.every((text) => text.length >= 32));
      assert.ok(yaml.includes(await mesh().view.publicKey(mesh(), name)));
      for (const key of ['generations', 'endpoints', 'prefixes', 'sending', 'agent']) {
        assert.match(yaml, new RegExp(`^ {4}sheath.dev/${key}: `, 'm'));
      }
      const log = await mesh().on(name, `cat ${mesh().lab.folder}/logs/${name}.log`);
      const status = JSON.stringify(await mesh().status(name));
      for (const [what, text] of Object.entries({ yaml, log, status })) {
        const shows = privateKeys.some((key) => text.includes(key));
        assert.ok(!shows, `the private key of ${name} is in its ${what}`);
      }
    }
  });

  it("packets up to the tunnel's MTU pass, and larger ones are told how large they may be", async () => {
    const [link] = JSON.parse(await mesh().on('n1', 'ip -j link show sheath1')) as { mtu: number }[];
    const mtu = link?.mtu ?? 0;
    assert.equal(mtu, mesh().view.mtu);
    for (const [address, header] of [
      ['10.244.2.2', 28],
      ['fd00:10:244:2::2', 48],
    ] as const) {
      await mesh().inPod('n1-p1', `ping -c 2 -W 5 -M do -s ${mtu - header} ${address}`);
      const larger = await mesh().inPod(
        'n1-p1',
        `ping -c 1 -W 2 -M do -s ${mtu - header + 1} ${address} 2>&1; true`,
      );
      assert.match(larger, new RegExp(`mtu ?= ?${mtu}`));
      // Fragments of what may be fragmented pass too.
      await mesh().inPod('n1-p1', `ping -c 2 -W 5 -s 4000 ${address}`);
    }
  });
}
