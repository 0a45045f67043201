"""Forms of people: logging in, a new password, accepting an invitation."""

from __future__ import annotations

from django import forms
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import password_validation
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm

from sessionsite.accounts import logins
from sessionsite.accounts.models import User
from sessionsite.common.errors import DomainError


class ThrottledLogin:
    """Mixed into a login form: few tries. `refusal` says when the next one is possible."""

    refusal: logins.TooManyTries | None = None

    def clean(self):
        username, password = (self.cleaned_data.get(name) for name in ("username", "password"))
        if not (username and password):
            return super().clean()
        address = self.request.META.get("REMOTE_ADDR", "") if self.request else ""
        try:
            logins.count_try(username, address)
        except logins.TooManyTries as refusal:
            self.refusal = refusal
            raise forms.ValidationError(refusal.message, code=refusal.code) from refusal
        cleaned = super().clean()
        logins.forgive_try(username, address)
        return cleaned


class LoginForm(ThrottledLogin, AuthenticationForm):
    pass


class AdminLoginForm(ThrottledLogin, AdminAuthenticationForm):
    pass


class NewPasswordForm(PasswordChangeForm):
    """The present password is asked for as at a login: few tries."""

    def __init__(self, *args, address: str, **kwargs):
        super().__init__(*args, **kwargs)
        self._address = address

    def clean_old_password(self):
        username = self.user.get_username()
        try:
            logins.count_try(username, self._address)
        except logins.TooManyTries as refusal:
            raise forms.ValidationError(refusal.message, code=refusal.code) from refusal
        old = super().clean_old_password()
        logins.forgive_try(username, self._address)
        return old


class NewPersonForm(forms.Form):
    """A name and a password for somebody who was invited."""

    username = forms.CharField(max_length=150, validators=[User.username_validator])
    password = forms.CharField(max_length=1024, strip=False)
    again = forms.CharField(max_length=1024, strip=False)

    def clean(self):
        cleaned = super().clean()
        password, again = cleaned.get("password"), cleaned.get("again")
        if password and again and password != again:
            self.add_error("again", "The two passwords differ.")
        elif password:
            try:
                password_validation.validate_password(password, User(username=cleaned.get("username", "")))
            except forms.ValidationError as error:
                self.add_error("password", error)
        return cleaned

    def refuse(self, error: DomainError) -> None:
        """A verb's refusal, beside the field that it names."""
        self.add_error(error.details.get("field"), error.message)
