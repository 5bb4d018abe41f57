// node decompress.js FROM.br TO
const fs = require("node:fs");
const zlib = require("node:zlib");
const { pipeline } = require("node:stream");
const [, , from, to] = process.argv;
pipeline(fs.createReadStream(from), zlib.createBrotliDecompress(), fs.createWriteStream(to), (error) => {
  if (error) throw error;
});
