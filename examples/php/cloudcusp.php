<?php

// Receives webhooks of the dialect cloudcusp.

declare(strict_types=1);
require __DIR__ . '/inbox.php';

function verify(string $body, string $signature, string $secret): bool
{
    return hash_equals('sha256=' . hash_hmac('sha256', $body, $secret), $signature);
}

$secret = getenv('WEBHOOK_SECRET') ?: throw new RuntimeException('set WEBHOOK_SECRET: without it, anybody could sign');
$body = file_get_contents('php://input'); // the bytes as they came; json_encode(json_decode($body)) would be others
header('Content-Type: application/json');

if (!verify($body, $_SERVER['HTTP_X_WEBHOOK_SIGNATURE'] ?? '', $secret)) {
    http_response_code(401);
    exit('{"success":false,"message":"Invalid signature"}');
}

// The id is in the body, where the signature covers it, if the webhook adds it there (see README.md).
keep(read($body)['id'] ?? $_SERVER['HTTP_POSTROOM_DELIVERY'] ?? null, $body);
echo '{"success":true,"message":"Webhook stored","processed_records":1}';
