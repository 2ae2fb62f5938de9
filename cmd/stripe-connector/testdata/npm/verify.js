// Verifies deliveries, one JSON object a line on stdin: {"secret", "headers", "body" (base64)}. Prints how many were good.
"use strict";
const { createInterface } = require("node:readline");
const { Webhook } = require("standardwebhooks");

(async () => {
  let good = 0;
  for await (const line of createInterface({ input: process.stdin })) {
    const { secret, headers, body } = JSON.parse(line);
    new Webhook(secret).verify(Buffer.from(body, "base64"), headers); // throws, and so ends with a code of 1
    good++;
  }
  console.log(good);
})();
