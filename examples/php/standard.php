<?php

// Receives webhooks of the dialect standard: Standard Webhooks, verified by hand.

declare(strict_types=1);
require __DIR__ . '/inbox.php';

const TOLERANCE = 300; // seconds

function verify(string $body, string $id, string $timestamp, string $signatures, string $secret): bool
{
    if (!preg_match('/^[0-9]{1,12}$/D', $timestamp) || abs(time() - (int) $timestamp) > TOLERANCE) {
        return false;
    }
    $key = base64_decode(preg_replace('/^whsec_/', '', $secret), true);
    $expected = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
    foreach (explode(' ', $signatures) as $signature) { // several, while the secret is being rotated
        if (hash_equals($expected, $signature)) {
            return true;
        }
    }
    return false;
}

$secret = getenv('WEBHOOK_SECRET') ?: throw new RuntimeException('set WEBHOOK_SECRET to what Postroom showed: whsec_…');
$body = file_get_contents('php://input'); // the bytes as they came
$id = $_SERVER['HTTP_WEBHOOK_ID'] ?? '';

if (!verify($body, $id, $_SERVER['HTTP_WEBHOOK_TIMESTAMP'] ?? '', $_SERVER['HTTP_WEBHOOK_SIGNATURE'] ?? '', $secret)) {
    http_response_code(401);
    exit('Invalid signature');
}

keep($id, $body);
http_response_code(204);
