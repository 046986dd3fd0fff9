import assert from 'node:assert/strict';
import { claimNamespace } from '../../operator/agent/sole.ts';

describe('claimNamespace', () => {
  it('refuses a second agent, until the first is gone', async () => {
    const name = `\0sheath-test-${process.pid}`;
    const first = await claimNamespace(name);
    await assert.rejects(claimNamespace(name), { code: 'ALREADY_RUNNING' });
    first.release();
    (await claimNamespace(name)).release();
  });
});
