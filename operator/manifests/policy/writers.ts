/** Who writes: what the policies ask of a request. */
import { GROUP, PLURAL } from '../../config/resource.ts';
import { ADMINISTER } from '../names.ts';

/** May do everything to the mesh: asked of the cluster's own authorization, so that it is granted as everything else is. */
export const ADMINISTERS = `authorizer.group('${GROUP}').resource('${PLURAL}').check('${ADMINISTER}').allowed()`;

export const USERNAME = 'request.userInfo.username';

const NODE_NAME = 'authentication.kubernetes.io/node-name';

/** The Node whose pod the token is bound to; CEL, an empty text where there is none (Kubernetes 1.30 and up vouch for it). */
export const NODE_OF_WRITER = `(has(request.userInfo.extra) && '${NODE_NAME}' in request.userInfo.extra && size(request.userInfo.extra['${NODE_NAME}']) == 1 ? request.userInfo.extra['${NODE_NAME}'][0] : '')`;
