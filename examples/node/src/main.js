import minimist from "minimist";

import { service } from "./service.js";

const { port } = minimist(process.argv.slice(2), { default: { port: 8080 } });
service().listen(port);
