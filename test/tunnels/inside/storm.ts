/** More notices at once than a socket's buffer holds, while nobody reads: started in a namespace of its own. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { openNetlink } from '../../../tunnels/netlink/rtnetlink.ts';
import { ip } from './machine.ts';

const STORM = 5000;

describe('notices', () => {
  it('survives a storm of them, says that some went unheard, and goes on hearing', async () => {
    const netlink = openNetlink();
    const stop = new AbortController();
    const heard: string[] = [];
    try {
      netlink.watch((notice) => heard.push(notice.type), stop.signal);
      ip('link add storm0 type veth peer name storm1');
      ip('link set storm0 up');
      ip('addr add 10.9.9.1/24 dev storm0');
      await until(() => heard.includes('address'));
      const routes = Array.from(
        { length: STORM },
        (_, i) => `route add 10.${100 + (i >> 8)}.${i & 255}.0/24 dev storm0`,
      );
      // Synchronous: this program's own event loop stands still meanwhile.
      execFileSync('ip', ['-batch', '-'], { input: routes.join('\n') });
      await until(
        () => heard.includes('overrun') || heard.filter((type) => type === 'route').length >= STORM,
      );
      ip('rule add pref 77 lookup 77');
      await until(() => heard.includes('rule') || heard.includes('overrun'));
      heard.length = 0;
      ip('rule add pref 78 lookup 78');
      await until(() => heard.includes('rule'));
    } finally {
      stop.abort();
      netlink.close();
      ip('link del storm0');
      for (const priority of [77, 78]) ip(`rule del pref ${priority}`);
    }
  });
});

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, `not within 10 s: ${condition}`);
    await sleep(20);
  }
}
